// Entities that call each other at random: no circle of waiting, nobody starves,
// and every call is answered by its deadline.

#include <iostream>
#include <map>
#include <random>

#include "tests/support/call_graphs.hpp"
#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

class call_graph_test : public service_fixture {
protected:
  call_graph_test() : service_fixture(testing::visited_module()) {}

  /// A call and until when it is to be answered.
  struct pending {
    outcome_ptr call;
    size_t visits = 0;
  };

  pending visit(const testing::visit_plan& plan,
                std::chrono::nanoseconds timeout) {
    return {begin(entity_call{"visited", plan.key, "visit"}, json(plan).dump(),
                  timeout),
            plan.size()};
  }

  /// Looks at those that are due: all of them must be answered.
  void check_due() {
    while (!due_.empty() && due_.begin()->first + deadlines.tick() < now()) {
      auto& x = due_.begin()->second;
      ASSERT_EQ(x.call->answers, 1)
        << "no answer " << (now() - due_.begin()->first).count() / 1000
        << " us after the deadline";
      count(x);
      due_.erase(due_.begin());
    }
  }

  void count(const pending& x) {
    auto text = x.call->text();
    if (auto reason = x.call->call->failure())
      ++errors_[std::string{reason->type()}];
    else
      EXPECT_EQ(text, std::to_string(x.visits));
  }

  std::multimap<time_point, pending> due_;
  std::map<std::string, size_t> errors_;
};

TEST_F(call_graph_test, answers_every_call_by_its_deadline) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  testing::plan_maker plans{seed, 1000};
  size_t visits = 0;
  size_t roots = 0;
  while (visits < 200'000) {
    auto batch = random() % 20;
    for (size_t i = 0; i < batch; ++i, ++roots) {
      auto timeout = std::chrono::milliseconds{
        random() % 8 == 0 ? 5 + random() % 50 : 10'000};
      auto x = visit(plans.make(), timeout);
      visits += x.visits;
      due_.emplace(now() + timeout, x);
    }
    outcomes.clear();
    advance(std::chrono::milliseconds{1 + random() % 10});
    check_due();
  }
  advance(10s + 2 * deadlines.tick());
  check_due();
  EXPECT_TRUE(due_.empty());
  EXPECT_TRUE(target("visited").idle());
  size_t failed = 0;
  std::cout << visits << " calls of " << roots << " chains; seed " << seed;
  for (auto& [type, n] : errors_) {
    failed += n;
    std::cout << ", " << n << " " << type;
  }
  std::cout << "\n";
  for (auto& [type, n] : errors_)
    EXPECT_TRUE(type == "busy_retry" || type == "call_cycle"
                || type == "deadline_exceeded")
      << type;
  EXPECT_LT(failed, roots / 2) << "hardly anybody gets on";
}

TEST_F(call_graph_test, lets_the_oldest_of_all_chains_get_on) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  testing::plan_maker plans{seed, 4};
  for (int round = 0; round < 50; ++round) {
    // All meet at few entities; whoever began first must not die.
    testing::visit_plan oldest{"e0", 5, {{"e1", 5, {{"e2", 5, {}}}}}};
    auto first = visit(oldest, 10s);
    std::vector<pending> others;
    for (int i = 0; i < 20; ++i)
      others.push_back(visit(plans.make(3), 10s));
    advance(11s);
    EXPECT_EQ(first.call->text(), "3");
    for (auto& x : others)
      EXPECT_EQ(x.call->answers, 1);
    outcomes.clear();
  }
}

} // namespace
} // namespace troupe
