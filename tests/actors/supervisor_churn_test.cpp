// Random trees under random events, to find the order of events that nobody
// thought of. Whatever happens:
//
//   - every request is answered once time has passed;
//   - a child that is up is alive, one that is not has no living actor;
//   - after all events are over, nothing waits or stops forever;
//   - children are stopped in reverse order of their list;
//   - no actor is left when the supervisor has ended (the fixture checks).
//
// A failure is repeated by its seed.

#include <random>
#include <set>

#include "tests/support/supervised.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

class supervisor_churn : public ::testing::TestWithParam<unsigned>,
                         public supervision_fixture {
public:
  int draw(int low, int high) {
    return std::uniform_int_distribution<int>{low, high}(random_);
  }

  std::string random_id() {
    return std::string(1, static_cast<char>('a' + draw(0, 7)));
  }

  child_spec random_spec(std::string id) {
    auto spec = worker(std::move(id), static_cast<restart_type>(draw(0, 2)),
                       draw(0, 4) == 0 ? stubborn : obedient);
    if (draw(0, 3) == 0)
      spec.stop = stop_policy::brutal_kill();
    else
      spec.stop = stop_policy::within(std::chrono::milliseconds{draw(1, 900)});
    return draw(0, 3) == 0 ? flaky(spec, failing_) : spec;
  }

  supervisor_actor random_supervisor() {
    supervisor_options options;
    options.strategy = static_cast<restart_strategy>(draw(0, 2));
    options.intensity = 100'000;
    options.seed = GetParam();
    if (draw(0, 1) == 0)
      options.backoff = {50ms, 2s};
    std::vector<child_spec> specs;
    for (int i = 0; i < draw(1, 8); ++i)
      specs.push_back(random_spec(std::string(1, static_cast<char>('a' + i))));
    return supervise(options, specs);
  }

  template <class T, class... Args>
  void remember(const supervisor_actor& to, Args... args) {
    auto result = ask<T>(to, args...);
    pending_.emplace_back([result] { return result->ready(); });
  }

  void random_event(const supervisor_actor& x) {
    switch (draw(0, 9)) {
    case 0:
      remember<caf::actor>(x, atom::start::value, random_spec(random_id()));
      break;
    case 1:
      remember<child_info>(x, atom::terminate::value, random_id());
      break;
    case 2:
      remember<caf::actor>(x, atom::restart::value, random_id());
      break;
    case 3:
      remember<child_info>(x, atom::erase::value, random_id());
      break;
    case 4:
      *failing_ = draw(0, 3);
      break;
    case 5:
    case 6:
      advance(std::chrono::milliseconds{draw(0, 400)});
      break;
    default:
      random_end();
      break;
    }
  }

  void random_end() {
    static constexpr const char* ways[] = {"normal", "shutdown", "error",
                                           "kill"};
    auto x = newest(random_id());
    if (x)
      end_child(x, ways[draw(0, 3)]);
  }

  void check_children(const supervisor_actor& x) {
    run();
    std::set<std::string> ids;
    for (auto& child : children(x)) {
      EXPECT_TRUE(ids.insert(child.id).second) << child.id << " twice";
      auto runs =
        child.state == child_state::up || child.state == child_state::stopping;
      EXPECT_EQ(static_cast<bool>(child.handle), runs);
      if (child.state == child_state::up) {
        EXPECT_EQ(end_of(child.handle), "alive") << child.id;
      }
    }
  }

  void check_rest(const supervisor_actor& x) {
    *failing_ = 0;
    advance(1min);
    for (auto& answered : pending_)
      EXPECT_TRUE(answered()) << "a request was forgotten";
    for (auto& child : children(x)) {
      EXPECT_NE(child.state, child_state::waiting) << child.id;
      EXPECT_NE(child.state, child_state::stopping) << child.id;
    }
  }

  void check_stop(const supervisor_actor& x) {
    std::string expected;
    auto all = children(x);
    for (auto i = all.rbegin(); i != all.rend(); ++i)
      if (i->state == child_state::up)
        expected += (expected.empty() ? "-" : " -") + i->id;
    take_log();
    shut_down(x);
    advance(1min);
    EXPECT_EQ(take_log(), expected);
    EXPECT_EQ(end_of(x), "user_shutdown");
  }

private:
  std::mt19937_64 random_{GetParam()};
  std::shared_ptr<int> failing_ = std::make_shared<int>(0);
  std::vector<std::function<bool()>> pending_;
};

TEST_P(supervisor_churn, keeps_its_promises) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  auto x = random_supervisor();
  for (auto i = 0; i < 300; ++i) {
    random_event(x);
    if (draw(0, 2) == 0)
      run();
    if (i % 10 == 0)
      check_children(x);
    ASSERT_EQ(end_of(x), "alive");
  }
  check_rest(x);
  check_stop(x);
}

TEST_P(supervisor_churn, leaves_nobody_behind_when_killed_in_the_middle) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  auto x = random_supervisor();
  for (auto i = draw(1, 100); i > 0; --i)
    random_event(x);
  caf::anon_send_exit(x, caf::exit_reason::kill);
  run();
  EXPECT_EQ(end_of(x), "kill");
  EXPECT_EQ(system().registry().running(), 0u);
}

INSTANTIATE_TEST_SUITE_P(seeds, supervisor_churn, ::testing::Range(1u, 201u));

} // namespace
} // namespace troupe
