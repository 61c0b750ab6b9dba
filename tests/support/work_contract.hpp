// What every queue of work keeps, whatever it is made of. For one source of a
// program, which says before what it is made of: `work_kinds`, each with `open`,
// which gives its store.

#pragma once

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::accept;
using testing::at;
using testing::claim_expired;
using testing::report;
using testing::work;
using testing::work_id;

template <class Kind>
class work_contract : public ::testing::Test {
protected:
  state_store& store() { return kind_.open(); }

  work_queue& queue() { return *store().work(); }

  /// Accepts work that waits.
  void put(work_item item) {
    auto id = item.id;
    EXPECT_EQ(accept(queue(), {std::move(item)}), (work_accepted{id, true}));
  }

  /// Accepts work that `node` begins at once.
  void begin(work_item item, std::string node = "node") {
    auto id = item.id;
    EXPECT_EQ(accept(queue(), {std::move(item), "", "", std::move(node)}),
              (work_accepted{id, true}));
  }

  std::vector<claimed_work> claim(std::vector<work_quota> quotas,
                                  work_time now = at(0),
                                  std::string node = "node") {
    return testing::begin_claim(queue(), std::move(node), std::move(quotas),
                                now)
      .get()
      .value();
  }

  /// The numbers of the ids of what is claimed.
  std::vector<uint64_t> take(std::vector<work_quota> quotas,
                             work_time now = at(0)) {
    std::vector<uint64_t> result;
    for (auto& x : claim(std::move(quotas), now))
      result.push_back(x.item.id.low);
    return result;
  }

  work_outcome end(uint64_t n, work_end how, payload answer = {},
                   work_time now = at(5), std::string node = "node",
                   uint32_t attempt = 1) {
    work_report x{work_id(n), std::move(node), attempt, how};
    x.answer = std::move(answer);
    return report(queue(), std::move(x), now);
  }

  work_outcome wait_again(uint64_t n, work_time due, uint32_t attempt = 1,
                          bool uncounted = false, payload answer = {}) {
    work_report x{work_id(n), "node", attempt, std::nullopt, due, uncounted};
    x.answer = std::move(answer);
    return report(queue(), std::move(x), at(5));
  }

  std::optional<work_view> find(uint64_t n) {
    return testing::find_work(queue(), work_id(n)).value();
  }

  work_state state(uint64_t n) {
    auto found = find(n);
    EXPECT_TRUE(found) << "there is no work " << n;
    return found ? found->state : work_state::dead;
  }

  std::vector<uint64_t> list(work_selection which) {
    std::vector<uint64_t> result;
    auto found = testing::list_work(queue(), which).value();
    for (auto& x : found) {
      EXPECT_EQ(x.state, which.state);
      result.push_back(x.id.low);
    }
    return result;
  }

  /// The id that a request with this key is told.
  expected<work_accepted> accept_keyed(uint64_t n, std::string key,
                                       std::string print = "print",
                                       work_target target = {"add"}) {
    return accept(
      queue(), {work(n, std::move(target)), std::move(key), std::move(print)});
  }

  const payload trouble{R"({"errorType":"trouble"})", ""};

private:
  Kind kind_;
};

TYPED_TEST_SUITE(work_contract, work_kinds);

// -- accepting ---------------------------------------------------------------

TYPED_TEST(work_contract, knows_nothing_of_work_that_was_never_accepted) {
  EXPECT_EQ(this->find(1), std::nullopt);
  EXPECT_TRUE(this->claim({{"add", 10}}).empty());
  EXPECT_TRUE(testing::lanes(this->queue()).value().empty());
  EXPECT_TRUE(testing::claimants(this->queue()).value().empty());
  EXPECT_TRUE(testing::count_work(this->queue()).value().empty());
  EXPECT_EQ(this->end(1, work_end::succeeded), work_outcome::refused);
}

TYPED_TEST(work_contract, accepted_work_waits) {
  auto item = work(1);
  item.due = at(7);
  item.accepted = at(3);
  item.priority = 9;
  this->put(item);
  work_view expected{work_id(1), {"add"}, work_state::waiting, 9, 0, at(3)};
  expected.due = at(7);
  EXPECT_EQ(this->find(1), expected);
}

TYPED_TEST(work_contract, work_that_begins_at_once_is_claimed) {
  auto item = work(1);
  item.due = at(100);
  this->begin(item, "a");
  auto found = this->find(1).value();
  EXPECT_EQ(found.state, work_state::claimed);
  EXPECT_EQ(found.claimed_by, "a");
  EXPECT_EQ(found.attempts, 1u);
  EXPECT_EQ(found.due, work_time{}) << "it does not wait";
  EXPECT_TRUE(this->take({{"add", 9}}, at(100)).empty());
}

TYPED_TEST(work_contract, gives_back_all_of_it) {
  for (size_t length : {0, 1, 1000, 1900, 2100, 5000, 1'000'000}) {
    auto item = work(length + 1, {"counter", "", {"k\0\xFF", 3}, "increment"});
    item.arguments = {std::string(length, '\0'), "application/octet-stream"};
    item.routing_key = {"a\0b", 3};
    item.trace = "00-1-2-3";
    item.notes = "{}";
    item.priority = 0;
    item.accepted = at(-5);
    item.attempts_max = 7;
    this->put(item);
    EXPECT_EQ(this->claim({{"counter/", 2}}),
              (std::vector<claimed_work>{{item, 1}}));
    // It is the same once more.
    EXPECT_EQ(this->wait_again(length + 1, at(2)), work_outcome::done);
    item.due = at(2);
    EXPECT_EQ(this->claim({{"counter/", 2}}, at(2)),
              (std::vector<claimed_work>{{item, 2}}));
  }
  auto function = work(3, {"add", "live"});
  this->put(function);
  EXPECT_EQ(this->claim({{"add", 1}}),
            (std::vector<claimed_work>{{function, 1}}));
}

TYPED_TEST(work_contract, the_same_item_again_is_the_same_work) {
  work_accepted again{work_id(1), false};
  auto repeat = [&] { return accept(this->queue(), {work(1), "", "", "x"}); };
  this->put(work(1));
  EXPECT_EQ(repeat(), again);
  EXPECT_EQ(this->state(1), work_state::waiting);
  this->take({{"add", 1}});
  EXPECT_EQ(repeat(), again);
  EXPECT_EQ(this->find(1)->claimed_by, "node");
  this->end(1, work_end::succeeded);
  EXPECT_EQ(repeat(), again);
  EXPECT_EQ(this->state(1), work_state::succeeded);
  this->begin(work(2));
  this->end(2, work_end::dead);
  EXPECT_EQ(accept(this->queue(), {work(2)}),
            (work_accepted{work_id(2), false}));
  EXPECT_EQ(this->state(2), work_state::dead);
  EXPECT_EQ(this->list({work_state::waiting}), (std::vector<uint64_t>{}));
}

TYPED_TEST(work_contract, many_are_accepted_together) {
  using testing::accept_all;
  auto& queue = this->queue();
  EXPECT_EQ(accept_all(queue, {}).value(), std::vector<work_accepted>{});
  this->put(work(1));
  EXPECT_EQ(this->accept_keyed(2, "known"), (work_accepted{work_id(2), true}));
  EXPECT_EQ(this->accept_keyed(3, "other", "of something else"),
            (work_accepted{work_id(3), true}));
  work_target entity{"counter", "", "k", "increment"};
  auto all = accept_all(queue, {{work(1)},
                                {work(4, entity)},
                                {work(5), "known", "print"},
                                {work(6), "other", "print"},
                                {work(7), "new", "print"},
                                {work(8), "new", "print"},
                                {work(9, entity), "new", "print"},
                                {work(10)},
                                {work(10)}});
  EXPECT_EQ(all.value(), (std::vector<work_accepted>{{work_id(1), false},
                                                     {work_id(4), true},
                                                     {work_id(2), false},
                                                     {work_id(6), false},
                                                     {work_id(7), true},
                                                     {work_id(7), false},
                                                     {work_id(9), true},
                                                     {work_id(10), true},
                                                     {work_id(10), false}}));
  EXPECT_EQ(this->list({work_state::waiting}),
            (std::vector<uint64_t>{1, 2, 3, 4, 7, 9, 10}));
}

TYPED_TEST(work_contract, a_thousand_are_accepted_together) {
  std::vector<work_request> all;
  for (uint64_t i = 1; i <= 1000; ++i) {
    auto key = "key " + std::to_string(i);
    all.push_back({work(i), key, "print"});
  }
  all[499].item.arguments.bytes.assign(100'000, 'x'); // in a table of its own
  auto accepted = testing::accept_all(this->queue(), all).value();
  ASSERT_EQ(accepted.size(), 1000u);
  for (uint64_t i = 1; i <= 1000; ++i)
    EXPECT_EQ(accepted[i - 1], (work_accepted{work_id(i), true}));
  EXPECT_EQ(this->take({{"add", 2000}}).size(), 1000u);
}

TYPED_TEST(work_contract, a_key_that_is_repeated_is_the_same_work) {
  EXPECT_EQ(this->accept_keyed(1, "k"), (work_accepted{work_id(1), true}));
  EXPECT_EQ(this->accept_keyed(2, "k"), (work_accepted{work_id(1), false}));
  EXPECT_EQ(this->find(2), std::nullopt);
  this->take({{"add", 1}});
  this->end(1, work_end::succeeded);
  EXPECT_EQ(this->accept_keyed(3, "k"), (work_accepted{work_id(1), false}));
  EXPECT_EQ(this->accept_keyed(1, "k"), (work_accepted{work_id(1), false}));
}

TYPED_TEST(work_contract, a_key_of_other_work_is_a_conflict) {
  this->accept_keyed(1, "k").value();
  auto other = this->accept_keyed(2, "k", "other print");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error(), errc::idempotency_conflict);
  EXPECT_EQ(this->find(2), std::nullopt);
  EXPECT_EQ(this->accept_keyed(3, "k"), (work_accepted{work_id(1), false}));
}

TYPED_TEST(work_contract, each_target_has_keys_of_its_own) {
  auto n = 0;
  for (auto& target : std::vector<work_target>{{"a"},
                                               {"b"},
                                               {"a", "live"},
                                               {"a", "", "", "m"},
                                               {"a", "", "k", "m"},
                                               {"a", "", "k", "n"},
                                               {"a", "", "1:k", "m"},
                                               {"ak", "", "", "m"}}) {
    ++n;
    EXPECT_TRUE(this->accept_keyed(n, "k", "print", target).value().is_new);
    EXPECT_TRUE(this->accept_keyed(n + 100, {"k\0", 2}, "", target)->is_new);
    EXPECT_FALSE(this->accept_keyed(n + 200, "k", "print", target)->is_new);
  }
}

TYPED_TEST(work_contract, work_without_a_key_is_new_each_time) {
  EXPECT_TRUE(this->accept_keyed(1, "", "print").value().is_new);
  EXPECT_TRUE(this->accept_keyed(2, "", "other print").value().is_new);
}

// -- claiming ----------------------------------------------------------------

TYPED_TEST(work_contract, gives_what_is_urgent_then_due_then_old) {
  auto add = [&](uint64_t n, int priority, int due) {
    auto item = work(n);
    item.priority = static_cast<uint8_t>(priority);
    item.due = at(due);
    this->put(item);
  };
  add(6, 0, -9);
  add(5, 4, 0);
  add(4, 4, 0);
  add(3, 4, -1);
  add(2, 9, 0);
  add(1, 9, 1); // not due
  EXPECT_EQ(this->take({{"add", 3}}), (std::vector<uint64_t>{2, 3, 4}));
  EXPECT_EQ(this->take({{"add", 1}}, at(1)), (std::vector<uint64_t>{1}));
  EXPECT_EQ(this->take({{"add", 9}}, at(1)), (std::vector<uint64_t>{5, 6}));
  EXPECT_EQ(this->take({{"add", 9}}, at(1)), (std::vector<uint64_t>{}));
}

TYPED_TEST(work_contract, gives_no_work_before_it_is_due) {
  auto item = work(1);
  item.due = at(10);
  this->put(item);
  EXPECT_TRUE(this->take({{"add", 1}}, at(9)).empty());
  EXPECT_EQ(this->take({{"add", 1}}, at(10)), (std::vector<uint64_t>{1}));
}

TYPED_TEST(work_contract, gives_no_work_that_has_expired) {
  for (uint64_t n : {1, 2, 3}) {
    auto item = work(n);
    item.expires = at(n == 2 ? 100 : 10);
    this->put(item);
  }
  EXPECT_EQ(this->take({{"add", 1}}, at(11)), (std::vector<uint64_t>{2}));
  EXPECT_EQ(this->take({{"add", 9}}, at(10)), (std::vector<uint64_t>{1, 3}));
}

TYPED_TEST(work_contract, gives_each_lane_what_it_may_have) {
  for (uint64_t n = 1; n <= 4; ++n) {
    this->put(work(n));
    this->put(work(10 + n, {"add", "live"}));
    this->put(work(20 + n, {"add", "", "k", "m"}));
    this->put(work(30 + n, {"other"}));
  }
  EXPECT_EQ(this->take({{"add/", 3}, {"none", 5}, {"other", 1}, {"add", 0}}),
            (std::vector<uint64_t>{21, 22, 23, 31}));
  EXPECT_EQ(this->take({{"add", 5}}), (std::vector<uint64_t>{1, 2, 3, 4, 11}));
  EXPECT_TRUE(this->take({}).empty());
}

TYPED_TEST(work_contract, each_claim_is_an_attempt) {
  this->put(work(1));
  for (uint32_t attempt = 1; attempt < 5; ++attempt) {
    auto claimed = this->claim({{"add", 1}});
    ASSERT_EQ(claimed.size(), 1u);
    EXPECT_EQ(claimed[0].attempt, attempt);
    EXPECT_EQ(this->find(1)->attempts, attempt);
    EXPECT_EQ(this->wait_again(1, at(0), attempt), work_outcome::done);
  }
}

TYPED_TEST(work_contract, no_work_is_given_to_two) {
  for (uint64_t n = 0; n < 100; ++n)
    this->put(work(n));
  std::vector<std::future<expected<std::vector<claimed_work>>>> answers;
  for (int i = 0; i < 60; ++i)
    answers.push_back(testing::begin_claim(this->queue(), std::to_string(i),
                                           {{"add", 2}}, at(0)));
  std::multiset<uint64_t> taken;
  for (auto& x : answers) {
    auto claimed = x.get().value();
    for (auto& y : claimed)
      taken.insert(y.item.id.low);
  }
  EXPECT_EQ(taken.size(), 100u);
  EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), 100u);
}

TYPED_TEST(work_contract, names_the_lanes_that_have_work_to_do) {
  auto later = work(1, {"b"});
  later.due = at(50);
  later.priority = 9;
  this->put(later);
  auto sooner = work(2, {"b"});
  sooner.due = at(20);
  sooner.priority = 0;
  this->put(sooner);
  this->put(work(3, {"a"}));
  this->put(work(4, {"a", "", "k", "m"}));
  this->begin(work(5, {"c"}));
  using found = std::vector<work_lane>;
  EXPECT_EQ(testing::lanes(this->queue()),
            (found{{"a", at(0)}, {"a/", at(0)}, {"b", at(20)}}));
  EXPECT_EQ(testing::lanes(this->queue(), "", 2),
            (found{{"a", at(0)}, {"a/", at(0)}}));
  EXPECT_EQ(testing::lanes(this->queue(), "a", 1), (found{{"a/", at(0)}}));
  EXPECT_EQ(testing::lanes(this->queue(), "b"), found{});
  this->take({{"b", 1}}, at(20));
  EXPECT_EQ(testing::lanes(this->queue(), "a/"), (found{{"b", at(50)}}));
  this->take({{"b", 1}}, at(50));
  EXPECT_EQ(testing::lanes(this->queue(), "a/"), found{});
}

// -- reports -----------------------------------------------------------------

TYPED_TEST(work_contract, work_that_ended_keeps_its_answer) {
  payload result{std::string("\0result", 7), "a/b"};
  for (uint64_t n = 1; n <= 3; ++n)
    this->begin(work(n));
  EXPECT_EQ(this->end(1, work_end::succeeded, result, at(7)),
            work_outcome::done);
  EXPECT_EQ(this->end(2, work_end::failed, this->trouble), work_outcome::done);
  EXPECT_EQ(this->end(3, work_end::dead, this->trouble), work_outcome::done);
  work_view expected{work_id(1), {"add"}, work_state::succeeded};
  expected.attempts = 1;
  expected.accepted = at(0);
  expected.finished = at(7);
  expected.answer = result;
  EXPECT_EQ(this->find(1), expected);
  EXPECT_EQ(this->state(2), work_state::failed);
  EXPECT_EQ(this->find(2)->answer, this->trouble);
  EXPECT_EQ(this->state(3), work_state::dead);
  EXPECT_EQ(this->find(3)->answer, this->trouble);
  EXPECT_EQ(this->find(3)->finished, at(5));
}

TYPED_TEST(work_contract, work_that_waits_again_shows_what_went_wrong) {
  this->begin(work(1));
  EXPECT_EQ(this->wait_again(1, at(30), 1, false, this->trouble),
            work_outcome::done);
  auto found = this->find(1).value();
  EXPECT_EQ(found.state, work_state::waiting);
  EXPECT_EQ(found.due, at(30));
  EXPECT_EQ(found.attempts, 1u);
  EXPECT_EQ(found.claimed_by, "");
  EXPECT_EQ(found.answer, this->trouble);
  EXPECT_TRUE(this->take({{"add", 1}}, at(29)).empty());
  EXPECT_EQ(this->claim({{"add", 1}}, at(30)).at(0).attempt, 2u);
  EXPECT_EQ(this->find(1)->answer, this->trouble);
}

TYPED_TEST(work_contract, an_attempt_that_is_not_counted_leaves_no_trace) {
  this->begin(work(1));
  this->wait_again(1, at(0), 1, false, this->trouble);
  this->take({{"add", 1}});
  EXPECT_EQ(this->wait_again(1, at(3), 2, true), work_outcome::done);
  EXPECT_EQ(this->find(1)->attempts, 1u);
  EXPECT_EQ(this->find(1)->due, at(3));
  EXPECT_EQ(this->find(1)->answer, this->trouble);
  EXPECT_EQ(this->claim({{"add", 1}}, at(3)).at(0).attempt, 2u);
}

TYPED_TEST(work_contract, an_attempt_that_is_not_counted_may_say_why) {
  this->begin(work(1));
  this->wait_again(1, at(0), 1, false, this->trouble);
  this->take({{"add", 1}});
  const payload full{R"({"errorType":"full"})", "application/json"};
  EXPECT_EQ(this->wait_again(1, at(3), 2, true, full), work_outcome::done);
  EXPECT_EQ(this->find(1)->attempts, 1u);
  EXPECT_EQ(this->find(1)->answer, full);
  EXPECT_EQ(this->wait_again(1, at(3), 2, true, full), work_outcome::done);
  this->take({{"add", 1}}, at(3));
  EXPECT_EQ(this->find(1)->answer, full);
}

TYPED_TEST(work_contract, only_whoever_claimed_it_can_say_what_became_of_it) {
  this->put(work(1));
  auto end = [&](std::string node, uint32_t attempt) {
    return this->end(1, work_end::succeeded, {}, at(5), node, attempt);
  };
  EXPECT_EQ(end("node", 0), work_outcome::refused) << "it waits";
  EXPECT_EQ(end("node", 1), work_outcome::refused) << "it waits";
  this->take({{"add", 1}});
  EXPECT_EQ(end("other", 1), work_outcome::refused);
  EXPECT_EQ(end("node", 0), work_outcome::refused);
  EXPECT_EQ(end("node", 2), work_outcome::refused);
  EXPECT_EQ(this->state(1), work_state::claimed);
  EXPECT_EQ(end("node", 1), work_outcome::done);
  EXPECT_EQ(end("other", 1), work_outcome::refused);
  EXPECT_EQ(end("node", 2), work_outcome::refused);
}

TYPED_TEST(work_contract, whoever_lost_the_claim_can_say_nothing) {
  this->put(work(1));
  this->claim({{"add", 1}}, at(0), "old");
  testing::give_back(this->queue(), "old", at(1), 10).value();
  auto end = [&](std::string node, uint32_t attempt) {
    return this->end(1, work_end::succeeded, {}, at(5), node, attempt);
  };
  EXPECT_EQ(end("old", 1), work_outcome::refused);
  this->claim({{"add", 1}}, at(1), "new");
  EXPECT_EQ(end("old", 1), work_outcome::refused);
  EXPECT_EQ(end("old", 2), work_outcome::refused);
  EXPECT_EQ(end("new", 2), work_outcome::done);
  EXPECT_EQ(end("old", 1), work_outcome::refused);
  EXPECT_EQ(this->state(1), work_state::succeeded);
}

TYPED_TEST(work_contract, a_report_that_is_repeated_is_done_again) {
  const std::map<work_end, work_state> ends{
    {work_end::succeeded, work_state::succeeded},
    {work_end::failed, work_state::failed},
    {work_end::dead, work_state::dead}};
  uint64_t n = 0;
  for (auto [how, state] : ends) {
    ++n;
    this->begin(work(n));
    EXPECT_EQ(this->end(n, how), work_outcome::done);
    for (auto [other, ignored] : ends) {
      auto wanted = other == how ? work_outcome::done : work_outcome::refused;
      EXPECT_EQ(this->end(n, other), wanted);
    }
    EXPECT_EQ(this->wait_again(n, at(0)), work_outcome::refused);
    EXPECT_EQ(this->state(n), state);
  }
}

TYPED_TEST(work_contract, a_report_is_not_done_again_once_work_went_on) {
  for (auto uncounted : {false, true}) {
    uint64_t n = uncounted ? 1 : 2;
    this->begin(work(n));
    EXPECT_EQ(this->wait_again(n, at(3), 1, uncounted), work_outcome::done);
    EXPECT_EQ(this->wait_again(n, at(3), 1, uncounted), work_outcome::done);
    EXPECT_EQ(this->wait_again(n, at(4), 1, uncounted), work_outcome::refused);
    EXPECT_EQ(this->wait_again(n, at(3), 1, !uncounted), work_outcome::refused);
    EXPECT_EQ(this->end(n, work_end::succeeded), work_outcome::refused);
    EXPECT_EQ(this->find(n)->attempts, uncounted ? 0u : 1u);
    this->claim({{"add", 1}}, at(3), "other");
    EXPECT_EQ(this->wait_again(n, at(3), 1, uncounted), work_outcome::refused);
    EXPECT_EQ(this->find(n)->claimed_by, "other");
  }
}

TYPED_TEST(work_contract, what_follows_is_accepted_with_the_report) {
  this->begin(work(1));
  this->accept_keyed(9, "taken").value();
  work_report x{work_id(1), "node", 1, work_end::succeeded};
  x.follow = {{work(2, {"next"})},
              {work(3, {"next"}), "key", "print"},
              {work(4, {"next"}), "key", "print"},
              {work(5), "taken", "other print"},
              {work(6, {"next"}), "", "", "node"}};
  auto refused = x;
  refused.attempt = 2;
  EXPECT_EQ(report(this->queue(), refused, at(5)), work_outcome::refused);
  EXPECT_EQ(this->find(2), std::nullopt);
  EXPECT_EQ(report(this->queue(), x, at(5)), work_outcome::done);
  EXPECT_EQ(this->state(1), work_state::succeeded);
  EXPECT_EQ(this->state(2), work_state::waiting);
  EXPECT_EQ(this->state(3), work_state::waiting);
  EXPECT_EQ(this->find(4), std::nullopt) << "the same work as 3";
  EXPECT_EQ(this->find(5), std::nullopt) << "its key is of other work";
  EXPECT_EQ(this->state(6), work_state::claimed);
  EXPECT_EQ(this->take({{"next", 9}}), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(report(this->queue(), x, at(5)), work_outcome::done);
  EXPECT_EQ(this->state(2), work_state::claimed) << "it was not accepted anew";
}

TYPED_TEST(work_contract, others_of_a_group_are_none_the_worse) {
  this->accept_keyed(999, "taken").value();
  std::vector<std::future<expected<work_accepted>>> good;
  std::vector<std::future<expected<work_accepted>>> bad;
  std::vector<std::future<work_outcome>> reports;
  for (uint64_t n = 0; n < 100; ++n) {
    good.push_back(
      testing::begin_accept(this->queue(), {work(n), "", "", "node"}));
    bad.push_back(testing::begin_accept(
      this->queue(), {work(1000 + n), "taken", "other print"}));
    // Requests are done in the order in which they come.
    reports.push_back(testing::begin_report(
      this->queue(), {work_id(n), "node", 1, work_end::succeeded}, at(5)));
    reports.push_back(testing::begin_report(
      this->queue(), {work_id(n), "other", 1, work_end::succeeded}, at(5)));
  }
  for (auto& x : good)
    EXPECT_TRUE(x.get().value().is_new);
  for (auto& x : bad)
    EXPECT_FALSE(x.get());
  for (size_t i = 0; i < reports.size(); ++i)
    EXPECT_EQ(reports[i].get(),
              i % 2 == 0 ? work_outcome::done : work_outcome::refused);
}

// -- nodes that are gone -----------------------------------------------------

TYPED_TEST(work_contract, knows_who_has_claims) {
  using names = std::vector<std::string>;
  this->begin(work(1), "b");
  this->begin(work(2), "a");
  this->begin(work(3), "b");
  this->put(work(4));
  EXPECT_EQ(testing::claimants(this->queue()), (names{"a", "b"}));
  this->end(1, work_end::succeeded, {}, at(5), "b");
  EXPECT_EQ(testing::claimants(this->queue()), (names{"a", "b"}));
  this->end(3, work_end::dead, {}, at(5), "b");
  EXPECT_EQ(testing::claimants(this->queue()), (names{"a"}));
}

TYPED_TEST(work_contract, work_of_a_node_that_is_gone_waits_again) {
  this->begin(work(2), "gone");
  this->begin(work(3), "alive");
  auto give_back = [&] {
    return testing::give_back(this->queue(), "gone", at(7), 10);
  };
  EXPECT_EQ(give_back(), size_t{1});
  EXPECT_EQ(give_back(), size_t{0});
  auto waiting = this->find(2).value();
  EXPECT_EQ(waiting.state, work_state::waiting);
  EXPECT_EQ(waiting.due, at(7));
  EXPECT_EQ(waiting.attempts, 1u) << "the attempt counts";
  EXPECT_EQ(this->find(3)->claimed_by, "alive");
}

TYPED_TEST(work_contract, work_that_a_node_took_along_with_it_is_not_begun) {
  auto last = work(1);
  last.attempts_max = 1;
  this->begin(last, "gone");
  EXPECT_EQ(testing::give_back(this->queue(), "gone", at(7), 10), size_t{1});
  EXPECT_EQ(this->state(1), work_state::waiting);
  EXPECT_TRUE(this->claim({{"add", 10}}, at(8)).empty());
  auto ended = claim_expired(this->queue(), "node", at(8), 10).value();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].attempt, 1u);
  EXPECT_EQ(ended[0].item.arguments, last.arguments);
  EXPECT_EQ(this->state(1), work_state::claimed);
}

TYPED_TEST(work_contract, gives_back_in_steps) {
  for (uint64_t n = 0; n < 10; ++n) {
    auto item = work(n);
    item.attempts_max = 1 + n % 2;
    this->begin(item, "gone");
  }
  for (size_t expected : {4, 4, 2, 0})
    EXPECT_EQ(testing::give_back(this->queue(), "gone", at(7), 4), expected);
  EXPECT_EQ(this->list({work_state::waiting}).size(), 10u);
  EXPECT_EQ(claim_expired(this->queue(), "node", at(7), 10).value().size(), 5u);
}

// -- what is old -------------------------------------------------------------

TYPED_TEST(work_contract, gives_what_expired_to_who_says_so) {
  for (uint64_t n = 1; n <= 6; ++n) {
    auto item = work(n);
    item.expires = at(static_cast<int64_t>(10 * n));
    if (n == 1)
      this->begin(item);
    else
      this->put(item);
  }
  auto take = [&](size_t limit) {
    std::vector<uint64_t> ids;
    auto got = claim_expired(this->queue(), "node", at(50), limit).value();
    for (auto& x : got) {
      EXPECT_EQ(x.attempt, 0u) << "it never began";
      EXPECT_EQ(x.item.arguments, work(x.item.id.low).arguments);
      ids.push_back(x.item.id.low);
    }
    return ids;
  };
  using numbers = std::vector<uint64_t>;
  EXPECT_EQ(take(2), (numbers{2, 3}));
  EXPECT_EQ(take(2), (numbers{4}));
  EXPECT_EQ(take(2), (numbers{}));
  EXPECT_EQ(this->find(2)->claimed_by, "node");
  EXPECT_EQ(this->state(5), work_state::waiting) << "may still begin";
  work_report end{work_id(2), "node", 0, work_end::failed};
  end.follow = {{work(9)}};
  EXPECT_EQ(report(this->queue(), end, at(51)), work_outcome::done);
  EXPECT_EQ(report(this->queue(), end, at(51)), work_outcome::done) << "again";
  EXPECT_EQ(this->state(2), work_state::failed);
  EXPECT_EQ(this->find(2)->attempts, 0u);
  EXPECT_EQ(this->state(9), work_state::waiting);
  work_report again{work_id(3), "node", 0, std::nullopt, at(60), true};
  EXPECT_EQ(report(this->queue(), again, at(51)), work_outcome::done);
  EXPECT_EQ(this->find(3)->attempts, 0u);
  EXPECT_EQ(testing::give_back(this->queue(), "node", at(52), 10), size_t{2})
    << "1 and 4";
  EXPECT_EQ(this->find(4)->attempts, 0u);
}

TYPED_TEST(work_contract, forgets_what_ended_long_ago) {
  for (uint64_t n = 1; n <= 9; ++n) {
    this->begin(work(n));
    auto how = n % 3 == 0   ? work_end::dead
               : n % 3 == 1 ? work_end::failed
                            : work_end::succeeded;
    this->end(n, how, {}, at(static_cast<int64_t>(n)));
  }
  auto forget = [&](int finished, int died, size_t limit) {
    return testing::forget(this->queue(), at(finished), at(died), at(9), limit);
  };
  EXPECT_EQ(forget(1, 1, 10), size_t{0});
  EXPECT_EQ(forget(5, 1, 10), size_t{3}); // 1, 2, 4
  EXPECT_EQ(this->find(4), std::nullopt);
  EXPECT_EQ(this->state(5), work_state::succeeded);
  EXPECT_EQ(forget(9, 9, 2), size_t{4}); // 5, 7 and 3, 6
  EXPECT_EQ(forget(9, 9, 2), size_t{1}); // 8
  EXPECT_EQ(forget(9, 9, 2), size_t{0});
  EXPECT_EQ(this->state(9), work_state::dead);
  EXPECT_TRUE(accept(this->queue(), {work(1)}).value().is_new);
}

TYPED_TEST(work_contract, forgets_neither_waiting_nor_claimed_work) {
  this->put(work(1));
  this->begin(work(2));
  auto late = at(0) + 1000h;
  EXPECT_EQ(testing::forget(this->queue(), late, late, late, 10), size_t{0});
  EXPECT_EQ(this->state(1), work_state::waiting);
  EXPECT_EQ(this->state(2), work_state::claimed);
}

TYPED_TEST(work_contract, keeps_keys_for_their_time) {
  for (uint64_t n = 1; n <= 3; ++n)
    this->accept_keyed(n, std::to_string(n)).value();
  auto forget = [&](work_time now) {
    return testing::forget(this->queue(), at(0), at(0), now, 2);
  };
  auto end = at(0) + work_queue::key_retention;
  EXPECT_EQ(forget(end), size_t{0});
  EXPECT_FALSE(this->accept_keyed(11, "1").value().is_new);
  EXPECT_EQ(forget(end + 1ms), size_t{2});
  EXPECT_EQ(forget(end + 1ms), size_t{1});
  EXPECT_EQ(this->state(1), work_state::waiting) << "only its key is gone";
  EXPECT_TRUE(this->accept_keyed(11, "1", "other print").value().is_new);
}

TYPED_TEST(work_contract, a_key_outlives_its_work) {
  this->accept_keyed(1, "k").value();
  this->take({{"add", 1}});
  this->end(1, work_end::succeeded);
  EXPECT_EQ(testing::forget(this->queue(), at(9), at(9), at(9), 9), size_t{1});
  EXPECT_EQ(this->find(1), std::nullopt);
  EXPECT_EQ(this->accept_keyed(2, "k"), (work_accepted{work_id(1), false}));
}

// -- operators ---------------------------------------------------------------

TYPED_TEST(work_contract, lists_by_id) {
  for (uint64_t n : {5, 3, 1}) {
    this->put(work(n, {"b"}));
    this->put(work(n + 1, {"a"}));
  }
  this->begin(work(7, {"a"}));
  this->begin(work(8, {"b"}));
  this->end(8, work_end::dead);
  this->begin(work(9, {"b"}));
  this->end(9, work_end::succeeded);
  using numbers = std::vector<uint64_t>;
  using state = work_state;
  EXPECT_EQ(this->list({state::waiting}), (numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(this->list({state::claimed}), (numbers{7}));
  EXPECT_EQ(this->list({state::dead}), (numbers{8}));
  EXPECT_EQ(this->list({state::waiting, "a"}), (numbers{2, 4, 6}));
  EXPECT_EQ(this->list({state::claimed, "b"}), (numbers{}));
  EXPECT_EQ(this->list({state::waiting, "", work_id(3)}), (numbers{3}));
  EXPECT_EQ(this->list({state::waiting, "a", work_id(3)}), (numbers{}));
  EXPECT_EQ(this->list({state::dead, "", work_id(3)}), (numbers{}));
  EXPECT_EQ(this->list({state::waiting, "", {}, work_id(3)}),
            (numbers{4, 5, 6}));
  EXPECT_EQ(this->list({state::waiting, "b", {}, work_id(1), 1}), (numbers{3}));
  EXPECT_EQ(this->list({state::waiting, "", {}, {}, 2}), (numbers{1, 2}));
  EXPECT_EQ(this->list({state::waiting, "", {}, {}, 0}), (numbers{}));
  EXPECT_EQ(this->list({state::waiting, "", work_id(3), work_id(3)}),
            (numbers{}));
}

TYPED_TEST(work_contract, lists_what_find_finds) {
  this->begin(work(1));
  this->wait_again(1, at(3), 1, false, this->trouble);
  this->begin(work(2, {"s", "", "k", "m"}), "a");
  this->begin(work(3));
  this->end(3, work_end::dead, this->trouble);
  for (auto state :
       {work_state::waiting, work_state::claimed, work_state::dead}) {
    auto listed = testing::list_work(this->queue(), {state}).value();
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(this->find(listed[0].id.low), listed[0]);
  }
}

TYPED_TEST(work_contract, shows_what_is_to_be_done_and_what_died) {
  auto item_of = [this](uint64_t n) {
    return testing::find_item(this->queue(), work_id(n)).value();
  };
  for (size_t length : {0, 2100, 100'000}) {
    auto n = length + 1;
    auto item = work(n, {"counter", "", "k", "increment"});
    item.arguments = {std::string(length, 'x'), "text/plain"};
    item.routing_key = "r";
    item.trace = "00-1-2-3";
    item.notes = R"({"schedule":"daily"})";
    item.attempts_max = 7;
    this->put(item);
    EXPECT_EQ(item_of(n), item) << "waits";
    this->claim({{"counter/", 1}});
    EXPECT_EQ(item_of(n), item) << "is claimed";
    this->end(n, work_end::dead, this->trouble);
    EXPECT_EQ(item_of(n), item) << "is dead";
  }
}

TYPED_TEST(work_contract, keeps_no_call_of_what_succeeded_or_failed) {
  for (auto [n, end] : {std::pair{uint64_t{1}, work_end::succeeded},
                        std::pair{uint64_t{2}, work_end::failed}}) {
    this->begin(work(n));
    this->end(n, end, this->trouble);
    EXPECT_EQ(testing::find_item(this->queue(), work_id(n)).value(),
              std::nullopt);
  }
  EXPECT_EQ(testing::find_item(this->queue(), work_id(3)).value(),
            std::nullopt);
}

TYPED_TEST(work_contract, counts_by_lane) {
  auto item = work(1);
  item.accepted = at(9);
  this->put(item);
  item = work(2);
  item.accepted = at(4);
  this->put(item);
  this->begin(work(3));
  this->begin(work(4));
  this->end(4, work_end::dead);
  this->begin(work(5, {"a"}));
  this->begin(work(6, {"done"}));
  this->end(6, work_end::succeeded);
  EXPECT_EQ(testing::count_work(this->queue()),
            (std::vector<work_count>{{"a", 0, 1, 0}, {"add", 2, 1, 1, at(4)}}));
}

TYPED_TEST(work_contract, dead_work_can_be_had_again) {
  auto item = work(1, {"s", "", "k", "m"});
  item.arguments.bytes = std::string(10'000, 'x');
  item.attempts_max = 1;
  item.expires = at(10);
  this->begin(item);
  this->end(1, work_end::dead, this->trouble);
  EXPECT_EQ(testing::redrive(this->queue(), {}, at(50), at(60)), size_t{1});
  auto found = this->find(1).value();
  EXPECT_EQ(found.state, work_state::waiting);
  EXPECT_EQ(found.attempts, 0u);
  EXPECT_EQ(found.due, at(50));
  EXPECT_EQ(found.finished, work_time{});
  EXPECT_EQ(found.answer, this->trouble) << "until there is another one";
  EXPECT_EQ(this->end(1, work_end::dead), work_outcome::refused);
  item.due = at(50);
  item.expires = at(60);
  EXPECT_EQ(this->claim({{"s/", 1}}, at(50)),
            (std::vector<claimed_work>{{item, 1}}));
}

TYPED_TEST(work_contract, an_operator_says_which_dead_work) {
  for (uint64_t n = 1; n <= 8; ++n) {
    this->begin(work(n, {n % 2 == 0 ? "even" : "odd"}));
    this->end(n, work_end::dead);
  }
  auto redrive = [&](work_selection which) {
    return testing::redrive(this->queue(), which, at(0), at(1000)).value();
  };
  auto dead = work_state::dead;
  EXPECT_EQ(redrive({dead, "even", {}, {}, 2}), 2u);
  EXPECT_EQ(redrive({dead, "", work_id(5)}), 1u);
  EXPECT_EQ(redrive({dead, "", work_id(5)}), 0u);
  EXPECT_EQ(redrive({dead, "", {}, work_id(7)}), 1u);
  EXPECT_EQ(redrive({dead, "none"}), 0u);
  EXPECT_EQ(this->list({dead}), (std::vector<uint64_t>{1, 3, 6, 7}));
  EXPECT_EQ(testing::purge(this->queue(), {dead, "odd", {}, {}, 2}), size_t{2});
  EXPECT_EQ(this->list({dead}), (std::vector<uint64_t>{6, 7}));
}

TYPED_TEST(work_contract, purged_work_leaves_no_trace) {
  auto purge = [&](work_state state) {
    return testing::purge(this->queue(), {state}).value();
  };
  this->accept_keyed(1, "k").value();
  this->begin(work(2));
  EXPECT_EQ(purge(work_state::dead), 0u);
  EXPECT_EQ(purge(work_state::waiting), 1u);
  EXPECT_EQ(this->find(1), std::nullopt);
  EXPECT_EQ(this->state(2), work_state::claimed);
  EXPECT_TRUE(this->accept_keyed(1, "k", "other print").value().is_new);
  this->end(2, work_end::dead);
  EXPECT_EQ(purge(work_state::dead), 1u);
  EXPECT_EQ(this->find(2), std::nullopt);
  EXPECT_EQ(purge(work_state::dead), 0u);
}

TYPED_TEST(work_contract, a_purge_leaves_a_key_that_is_of_other_work_by_now) {
  this->accept_keyed(1, "k").value();
  auto late = at(1) + work_queue::key_retention;
  testing::forget(this->queue(), at(0), at(0), late, 9).value();
  EXPECT_TRUE(this->accept_keyed(2, "k").value().is_new);
  EXPECT_EQ(
    testing::purge(this->queue(), {work_state::waiting, "", work_id(1)}),
    size_t{1});
  EXPECT_EQ(this->accept_keyed(3, "k"), (work_accepted{work_id(2), false}));
}

} // namespace
} // namespace troupe
