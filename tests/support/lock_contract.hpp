// What every table of locks keeps, whatever it is made of, and what commits that
// are bound to locks keep in its store. For one source of a program, which says
// before what it is made of: `lock_kinds`, each with `store`, and with `pass`,
// which lets its clock go on by so much.

#pragma once

#include <map>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/lock_calls.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using testing::change;
using testing::our_token;

template <class Kind>
class lock_contract : public ::testing::Test {
protected:
  state_store& store() { return kind_.store; }

  lock_table& locks() { return *kind_.store.locks(); }

  void pass(milliseconds time) { kind_.pass(time); }

  /// The token; 0 if somebody else has it.
  uint64_t acquire(std::string holder, milliseconds ttl = 1h,
                   std::string name = "door") {
    auto answer =
      testing::acquire(locks(), std::move(name), std::move(holder), ttl);
    return answer.done ? answer.now.token : 0;
  }

  bool renew(uint64_t token, milliseconds ttl = 1h) {
    return testing::renew(locks(), {"door", token}, ttl).done;
  }

  bool release(uint64_t token, std::string name = "door") {
    return testing::release(locks(), {std::move(name), token}).done;
  }

  lock_row find(std::string name = "door") {
    return testing::find_lock(locks(), std::move(name));
  }

  /// Commits the next change of `cart` under `proofs`.
  commit_outcome commit(std::vector<lock_proof> proofs, std::string state) {
    auto next = change(cart, load().revision, std::move(state));
    next.locks = std::move(proofs);
    return testing::commit(store(), std::move(next));
  }

  stored_state load() { return testing::load(store(), cart).value(); }

  void claim() { testing::claim(store(), cart, our_token).value(); }

  const entity_id cart{"cart", "ann"};

private:
  Kind kind_;
};

TYPED_TEST_SUITE(lock_contract, lock_kinds);

// -- grants ------------------------------------------------------------------

TYPED_TEST(lock_contract, knows_nothing_of_a_lock_that_was_never_granted) {
  EXPECT_EQ(this->find(), lock_row{});
  EXPECT_FALSE(this->renew(1));
  EXPECT_FALSE(this->release(1));
  EXPECT_EQ(this->find(), lock_row{});
}

TYPED_TEST(lock_contract, grants_a_lock_to_one_at_a_time) {
  EXPECT_EQ(this->acquire("a", 100ms), 1u);
  auto other = testing::acquire(this->locks(), "door", "b", 1h);
  EXPECT_EQ(other, (lock_answer{false, {1, 100ms}}));
  EXPECT_EQ(this->find(), (lock_row{1, 100ms}));
}

TYPED_TEST(lock_contract, gives_every_grant_a_token_that_is_higher_by_one) {
  for (uint64_t i = 1; i < 20; ++i) {
    EXPECT_EQ(this->acquire("request " + std::to_string(i), 10ms), i);
    if (i % 2 == 0)
      EXPECT_TRUE(this->release(i));
    else
      this->pass(10ms);
  }
}

TYPED_TEST(lock_contract, counts_each_lock_by_itself) {
  EXPECT_EQ(this->acquire("a", 1h, "one"), 1u);
  EXPECT_EQ(this->acquire("b", 1h, "two"), 1u);
  this->release(1, "two");
  EXPECT_EQ(this->acquire("b", 1h, "two"), 2u);
  EXPECT_TRUE(this->find("one").held());
  EXPECT_EQ(this->find("One"), lock_row{});
}

TYPED_TEST(lock_contract, gives_a_request_that_is_repeated_its_grant_again) {
  EXPECT_EQ(this->acquire("a", 100ms), 1u);
  this->pass(60ms);
  EXPECT_EQ(this->acquire("a", 100ms), 1u);
  EXPECT_EQ(this->find(), (lock_row{1, 100ms}));
  this->release(1);
  EXPECT_EQ(this->acquire("a", 100ms), 2u);
}

TYPED_TEST(lock_contract, has_locks_for_a_millisecond_and_for_long) {
  EXPECT_EQ(this->acquire("a", 1ms), 1u);
  this->pass(1ms);
  EXPECT_EQ(this->acquire("b", 900s), 2u);
  this->pass(900s - 1ms);
  EXPECT_EQ(this->acquire("c"), 0u);
  this->pass(1ms);
  EXPECT_EQ(this->acquire("c"), 3u);
}

// -- renewals and releases ---------------------------------------------------

TYPED_TEST(lock_contract, a_renewal_lets_the_time_begin_anew) {
  this->acquire("a", 100ms);
  this->pass(90ms);
  auto renewed = testing::renew(this->locks(), {"door", 1}, 50ms);
  EXPECT_EQ(renewed, (lock_answer{true, {1, 50ms}}));
  this->pass(49ms);
  EXPECT_EQ(this->acquire("b"), 0u);
  this->pass(1ms);
  EXPECT_EQ(this->acquire("b"), 2u);
}

TYPED_TEST(lock_contract, a_renewal_without_a_time_keeps_the_one_it_had) {
  this->acquire("a", 100ms);
  this->pass(90ms);
  auto renew = [&] {
    return testing::renew(this->locks(), {"door", 1}, std::nullopt);
  };
  EXPECT_EQ(renew(), (lock_answer{true, {1, 100ms}}));
  testing::renew(this->locks(), {"door", 1}, 70ms);
  this->pass(60ms);
  EXPECT_EQ(renew(), (lock_answer{true, {1, 70ms}}));
  this->pass(70ms);
  EXPECT_EQ(renew(), (lock_answer{false, {1, 0ms}}));
}

TYPED_TEST(lock_contract,
           whoever_lost_a_lock_can_neither_renew_nor_release_it) {
  this->acquire("a", 10ms);
  this->pass(10ms);
  EXPECT_FALSE(this->renew(1)) << "its time was over";
  this->acquire("b", 1h);
  EXPECT_FALSE(this->renew(1));
  EXPECT_FALSE(this->release(1));
  EXPECT_FALSE(this->release(3));
  EXPECT_EQ(this->find(), (lock_row{2, 1h}));
  this->release(2);
  EXPECT_FALSE(this->renew(2)) << "it was released";
}

TYPED_TEST(lock_contract, a_release_can_be_repeated_and_can_come_late) {
  this->acquire("a", 10ms);
  this->pass(20ms);
  EXPECT_TRUE(this->release(1)) << "nobody else was granted it";
  EXPECT_TRUE(this->release(1));
  EXPECT_EQ(this->find(), (lock_row{1, 0ms}));
}

// -- commits -----------------------------------------------------------------

TYPED_TEST(lock_contract, a_commit_is_done_while_its_lock_is_held) {
  this->claim();
  this->acquire("a");
  EXPECT_EQ(this->commit({{"door", 1}}, "1"), commit_outcome::done);
  EXPECT_EQ(this->load(), (stored_state{1, "1", 1}));
}

TYPED_TEST(lock_contract, a_commit_is_refused_once_another_one_has_the_lock) {
  this->claim();
  this->acquire("a", 10ms);
  this->pass(10ms);
  EXPECT_EQ(this->commit({{"door", 1}}, "1"), commit_outcome::done)
    << "nobody else was granted it";
  this->acquire("b");
  EXPECT_EQ(this->commit({{"door", 1}}, "2"), commit_outcome::lock_lost);
  EXPECT_EQ(this->load(), (stored_state{1, "1", 1}));
  EXPECT_EQ(this->commit({{"door", 2}}, "3"), commit_outcome::done);
}

TYPED_TEST(lock_contract, a_commit_is_refused_for_a_lock_that_was_released) {
  this->claim();
  this->acquire("a");
  this->release(1);
  EXPECT_EQ(this->commit({{"door", 1}}, "1"), commit_outcome::lock_lost);
  EXPECT_EQ(this->load(), stored_state{});
}

TYPED_TEST(lock_contract, a_commit_is_refused_for_a_token_of_no_grant) {
  this->claim();
  EXPECT_EQ(this->commit({{"door", 1}}, "1"), commit_outcome::lock_lost);
  this->acquire("a");
  EXPECT_EQ(this->commit({{"door", 2}}, "1"), commit_outcome::lock_lost);
  EXPECT_EQ(this->load(), stored_state{});
}

TYPED_TEST(lock_contract, a_commit_needs_all_of_its_locks) {
  this->claim();
  this->acquire("a", 1h, "one");
  this->acquire("a", 1h, "two");
  std::vector<lock_proof> both{{"one", 1}, {"two", 1}};
  EXPECT_EQ(this->commit(both, "1"), commit_outcome::done);
  this->release(1, "two");
  EXPECT_EQ(this->commit(both, "2"), commit_outcome::lock_lost);
  EXPECT_EQ(this->commit({{"one", 1}}, "3"), commit_outcome::done);
  this->release(1, "one");
  EXPECT_EQ(this->commit(both, "4"), commit_outcome::lock_lost);
  EXPECT_EQ(this->load(), (stored_state{2, "3", 1}));
}

TYPED_TEST(lock_contract, nothing_is_written_of_a_commit_that_lost_its_lock) {
  this->claim();
  auto next = change(this->cart, 0, "1");
  next.outcomes = {{"id", "print", 1, false, "a/b", "body"}};
  if (this->store().work())
    next.work = {testing::note({1, 1}, "ann", "one")};
  next.locks = {{"door", 1}};
  EXPECT_EQ(testing::commit(this->store(), next), commit_outcome::lock_lost);
  EXPECT_EQ(this->load(), stored_state{});
  EXPECT_EQ(testing::find_outcome(this->store(), this->cart, "id").value(),
            std::nullopt);
  if (this->store().work()) {
    EXPECT_TRUE(testing::notes(this->store()).empty());
  }
  // The entity still has its owner.
  this->acquire("a");
  EXPECT_EQ(testing::commit(this->store(), next), commit_outcome::done);
}

TYPED_TEST(lock_contract, a_commit_without_a_change_is_bound_to_its_lock_too) {
  this->claim();
  commit_request same{this->cart, our_token, 0, {}, {}, {}};
  same.locks = {{"door", 1}};
  EXPECT_EQ(testing::commit(this->store(), same), commit_outcome::lock_lost);
  this->acquire("a");
  EXPECT_EQ(testing::commit(this->store(), same), commit_outcome::done);
  EXPECT_EQ(this->load(), stored_state{});
}

// Else an activation that lost its entity would believe that it still has it.
TYPED_TEST(lock_contract, whoever_lost_the_entity_hears_that_first) {
  auto next = change(this->cart, 0, "1");
  next.locks = {{"door", 1}};
  EXPECT_EQ(testing::commit(this->store(), next), commit_outcome::refused);
  this->claim();
  next.base = 3;
  EXPECT_EQ(testing::commit(this->store(), next), commit_outcome::refused);
  next = change(this->cart, 0, "1", {3, 4});
  next.locks = {{"door", 1}};
  EXPECT_EQ(testing::commit(this->store(), next), commit_outcome::refused);
}

TYPED_TEST(lock_contract, others_of_a_group_are_none_the_worse) {
  std::vector<std::future<commit_outcome>> bound;
  std::vector<std::future<commit_outcome>> free;
  for (int i = 0; i < 100; ++i) {
    entity_id one{"cart", "bound " + std::to_string(i)};
    entity_id two{"cart", "free " + std::to_string(i)};
    testing::begin_claim(this->store(), one, our_token);
    testing::begin_claim(this->store(), two, our_token);
    auto next = change(one, 0, "1");
    next.locks = {{"door", 1}};
    bound.push_back(testing::begin_commit(this->store(), next));
    free.push_back(testing::begin_commit(this->store(), change(two, 0, "1")));
  }
  for (auto& x : bound)
    EXPECT_EQ(x.get(), commit_outcome::lock_lost);
  for (auto& x : free)
    EXPECT_EQ(x.get(), commit_outcome::done);
}

TYPED_TEST(lock_contract, a_grant_is_given_once_to_many_who_ask_at_once) {
  std::vector<std::future<expected<lock_answer>>> answers;
  for (int i = 0; i < 200; ++i)
    answers.push_back(
      testing::begin_acquire(this->locks(), "door", std::to_string(i), 1h));
  auto granted = 0;
  for (auto& x : answers)
    granted += x.get().value().done ? 1 : 0;
  EXPECT_EQ(granted, 1);
}

// -- a model -----------------------------------------------------------------

/// What a lock is, written for reading.
struct model_lock {
  uint64_t token = 0;
  std::string holder;
  milliseconds ttl{0};
  milliseconds free_at{0};
};

class model {
public:
  lock_answer acquire(const std::string& name, const std::string& holder,
                      milliseconds ttl) {
    auto& x = locks_[name];
    if (!x.holder.empty() && x.holder != holder && x.free_at > now)
      return {false, row(x)};
    if (x.holder != holder)
      ++x.token;
    x.holder = holder;
    x.ttl = ttl;
    x.free_at = now + ttl;
    return {true, row(x)};
  }

  lock_answer renew(const lock_proof& held, std::optional<milliseconds> ttl) {
    auto& x = locks_[held.name];
    auto fits = proves(held) && x.free_at > now;
    if (fits) {
      x.ttl = ttl.value_or(x.ttl);
      x.free_at = now + x.ttl;
    }
    return {fits, row(x)};
  }

  lock_answer release(const lock_proof& held) {
    auto& x = locks_[held.name];
    auto fits = held.token == x.token && x.token > 0;
    if (fits)
      x.holder.clear();
    return {fits, row(x)};
  }

  lock_row find(const std::string& name) { return row(locks_[name]); }

  bool proves(const lock_proof& held) {
    auto& x = locks_[held.name];
    return !x.holder.empty() && x.token == held.token;
  }

  milliseconds now{0};

private:
  lock_row row(const model_lock& x) const {
    return {x.token, x.holder.empty() ? 0ms : std::max(x.free_at - now, 0ms)};
  }

  std::map<std::string, model_lock> locks_;
};

TYPED_TEST(lock_contract, answers_as_the_model_does) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  auto below = [&](uint64_t bound) { return random() % bound; };
  model expected;
  this->claim();
  uint64_t revision = 0;
  for (int i = 0; i < 800 && !this->HasFatalFailure(); ++i) {
    std::string name(1, static_cast<char>('a' + below(3)));
    auto last = expected.find(name).token;
    lock_proof held{name, below(8) == 0 ? last + 1 : last};
    milliseconds ttl{1 + below(40)};
    switch (below(7)) {
    case 0:
    case 1: {
      auto holder = std::to_string(below(4));
      ASSERT_EQ(testing::acquire(this->locks(), name, holder, ttl),
                expected.acquire(name, holder, ttl));
      break;
    }
    case 2: {
      auto time = below(3) > 0 ? std::optional{ttl} : std::nullopt;
      ASSERT_EQ(testing::renew(this->locks(), held, time),
                expected.renew(held, time));
      break;
    }
    case 3:
      ASSERT_EQ(testing::release(this->locks(), held), expected.release(held));
      break;
    case 4:
      ASSERT_EQ(this->find(name), expected.find(name));
      break;
    case 5: {
      milliseconds time{below(30)};
      expected.now += time;
      this->pass(time);
      break;
    }
    default:
      auto wanted = expected.proves(held) ? commit_outcome::done
                                          : commit_outcome::lock_lost;
      ASSERT_EQ(this->commit({held}, std::to_string(i)), wanted);
      revision += wanted == commit_outcome::done ? 1 : 0;
      ASSERT_EQ(this->load().revision, revision);
    }
  }
  EXPECT_GT(revision, 50u);
}

} // namespace
} // namespace troupe
