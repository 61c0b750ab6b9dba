// Those who wait for locks, on one node and on several that share the table of
// locks, in virtual time.

#include <deque>
#include <map>
#include <random>

#include <caf/scoped_actor.hpp>
#include <gtest/gtest.h>

#include "actors/cluster/lock_keeper.hpp"
#include "nodes/store/memory_locks.hpp"
#include "tests/support/actor_fixture.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// A table that answers when the test says so, if it wants to.
class held_back_table final : public lock_table {
public:
  explicit held_back_table(memory_lock_table::clock now) : inner_(now) {}

  /// Answers wait for `let_go`.
  bool holds_back = false;

  /// So many requests fail.
  size_t failing = 0;

  size_t acquires = 0;

  void let_go() {
    for (auto& x : std::exchange(waiting_, {}))
      x();
  }

  void acquire(lock_request x, callback<lock_answer> done) override {
    ++acquires;
    if (failing > 0) {
      --failing;
      return done(error{errc::store_unavailable, "the store is away"});
    }
    inner_.acquire(std::move(x), later(done));
  }

  void renew(lock_proof held, std::optional<milliseconds> ttl,
             callback<lock_answer> done) override {
    inner_.renew(std::move(held), ttl, later(done));
  }

  void release(lock_proof held, callback<lock_answer> done) override {
    inner_.release(std::move(held), later(done));
  }

  void find(std::string name, callback<lock_row> done) override {
    inner_.find(std::move(name), done);
  }

private:
  callback<lock_answer> later(const callback<lock_answer>& done) {
    return [this, done](const expected<lock_answer>& x) {
      if (holds_back)
        waiting_.push_back([done, x] { done(x); });
      else
        done(x);
    };
  }

  memory_lock_table inner_;
  std::deque<std::function<void()>> waiting_;
};

/// Somebody who asks.
struct client {
  uint64_t id = 0;
  int answers = 0;
  std::optional<lock_grant> got;
  std::string refused; // type and effect

  uint64_t token() const { return got ? got->proof.token : 0; }
};

using client_ptr = std::shared_ptr<client>;

class keeper_test : public ::testing::Test, public actor_fixture {
protected:
  keeper_test() { add_node(); }

  ~keeper_test() override { stop_all(); }

  lock_keeper& add_node(lock_keeper_options options = {}) {
    options.seed = nodes.size() + 1;
    auto& x =
      nodes.emplace_back(std::make_unique<lock_keeper>(&table, options));
    caf::scoped_actor parent{system()};
    own(x->start(parent.ptr()));
    run();
    return *x;
  }

  /// Asks a node, by its number.
  client_ptr ask(milliseconds wait = 0ms, milliseconds ttl = 10min,
                 size_t node = 0, std::string name = "door") {
    auto result = std::make_shared<client>();
    result->id = nodes[node]->acquire(
      std::move(name), {ttl, wait}, [result](expected<lock_grant> x) {
        ++result->answers;
        if (x)
          result->got = std::move(*x);
        else
          result->refused = std::string{x.error().type()} + " "
                            + std::string{to_string(x.error().what_happened())};
      });
    return result;
  }

  client_ptr get(milliseconds wait = 0ms, milliseconds ttl = 10min,
                 size_t node = 0) {
    auto result = ask(wait, ttl, node);
    run();
    return result;
  }

  std::string release(uint64_t token, size_t node = 0,
                      std::string name = "door") {
    std::string result = "-";
    nodes[node]->release({std::move(name), token},
                         [&](const expected<void>& x) {
                           result = x ? "done" : std::string{x.error().type()};
                         });
    run();
    return result;
  }

  std::string renew(uint64_t token,
                    std::optional<milliseconds> ttl = milliseconds{10min}) {
    std::string result = "-";
    nodes[0]->renew({"door", token}, ttl, [&](const expected<lock_grant>& x) {
      result = x ? "done" : std::string{x.error().type()};
      if (x)
        renewed_until = x->expires;
    });
    run();
    return result;
  }

  std::chrono::system_clock::time_point renewed_until;

  held_back_table table{[this] {
    auto time = std::chrono::floor<milliseconds>(now().time_since_epoch());
    return lock_time{"virtual", time, time};
  }};
  std::vector<std::unique_ptr<lock_keeper>> nodes;
};

// -- one ---------------------------------------------------------------------

TEST_F(keeper_test, grants_a_lock_that_nobody_has) {
  auto before = std::chrono::system_clock::now();
  auto x = get(0ms, 10s);
  EXPECT_EQ(x->token(), 1u);
  EXPECT_EQ(x->got->proof.name, "door");
  EXPECT_GE(x->got->expires, before + 10s);
  EXPECT_LE(x->got->expires, std::chrono::system_clock::now() + 10s);
  EXPECT_EQ(nodes[0]->waiting(), 0u);
}

TEST_F(keeper_test, refuses_at_once_who_does_not_wait) {
  get();
  auto x = get();
  EXPECT_EQ(x->refused, "lock_held none");
  EXPECT_EQ(x->answers, 1);
}

TEST_F(keeper_test, refuses_what_makes_no_sense) {
  for (auto name : {"", "a b", "a/b", "\xC3\xA4"})
    EXPECT_EQ(ask(0ms, 1s, 0, name)->refused, "bad_request none") << name;
  EXPECT_EQ(ask(0ms, 1s, 0, std::string(65, 'a'))->refused, "bad_request none");
  EXPECT_EQ(ask(0ms, 0ms)->refused, "bad_request none");
  EXPECT_EQ(ask(0ms, 900'001ms)->refused, "bad_request none");
  EXPECT_EQ(ask(-1ms, 1s)->refused, "bad_request none");
  EXPECT_EQ(ask(900'001ms, 1s)->refused, "bad_request none");
  EXPECT_EQ(renew(1, 0ms), "bad_request");
  EXPECT_EQ(table.acquires, 0u);
}

TEST_F(keeper_test, says_who_lost_a_lock_and_which_never_was) {
  EXPECT_EQ(renew(1), "not_found");
  EXPECT_EQ(release(1), "not_found");
  get(0ms, 10ms);
  EXPECT_EQ(renew(1, 20ms), "done");
  advance(20ms);
  EXPECT_EQ(renew(1), "lock_held");
  EXPECT_EQ(get()->token(), 2u);
  EXPECT_EQ(renew(1), "lock_held");
  EXPECT_EQ(release(1), "lock_held");
  EXPECT_EQ(release(2), "done");
  EXPECT_EQ(release(2), "done");
}

TEST_F(keeper_test, renews_a_lock_for_as_long_as_it_was_granted) {
  get(0ms, 1min);
  auto before = std::chrono::system_clock::now();
  EXPECT_EQ(renew(1, std::nullopt), "done");
  EXPECT_GE(renewed_until, before + 1min);
  EXPECT_LE(renewed_until, std::chrono::system_clock::now() + 1min);
  advance(59s);
  EXPECT_EQ(renew(1, std::nullopt), "done");
}

TEST_F(keeper_test, shows_a_lock) {
  std::optional<expected<lock_info>> x;
  auto show = [&] {
    nodes[0]->show("door", [&](expected<lock_info> y) { x = std::move(y); });
    return x->has_value();
  };
  EXPECT_FALSE(show());
  EXPECT_EQ(x->error().code(), errc::not_found);
  get(0ms, 1min);
  EXPECT_TRUE(show());
  EXPECT_EQ((*x)->token, 1u);
  EXPECT_TRUE((*x)->expires);
  release(1);
  EXPECT_TRUE(show());
  EXPECT_EQ((*x)->token, 1u);
  EXPECT_FALSE((*x)->expires);
}

TEST_F(keeper_test, has_none_without_a_table) {
  lock_keeper none{nullptr};
  std::string text;
  none.acquire("door", {},
               [&](expected<lock_grant> x) { text = x.error().type(); });
  EXPECT_EQ(text, "not_implemented");
}

// -- waiting -----------------------------------------------------------------

TEST_F(keeper_test, gives_a_lock_to_those_who_wait_in_their_order) {
  get();
  std::vector<client_ptr> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(get(1min));
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = i; j < all.size(); ++j)
      ASSERT_EQ(all[j]->answers, 0);
    release(i + 1); // takes no time
    ASSERT_EQ(all[i]->token(), i + 2);
  }
}

TEST_F(keeper_test, whoever_waits_gets_the_lock_when_its_time_is_over) {
  get(0ms, 300ms);
  auto x = get(1min);
  advance(298ms); // the table counts whole milliseconds
  EXPECT_EQ(x->answers, 0);
  advance(3ms);
  EXPECT_EQ(x->token(), 2u);
}

TEST_F(keeper_test, nobody_waits_longer_than_it_said) {
  get();
  std::vector<client_ptr> all;
  for (int i = 1; i <= 10; ++i)
    all.push_back(get(i * 100ms));
  for (int i = 0; i < 10; ++i) {
    advance(99ms);
    EXPECT_EQ(all[i]->answers, 0) << i;
    advance(1ms);
    EXPECT_EQ(all[i]->refused, "lock_held none") << i;
  }
  EXPECT_EQ(nodes[0]->waiting(), 0u);
}

TEST_F(keeper_test, one_who_does_not_wait_goes_not_before_those_who_do) {
  get();
  auto first = get(1min);
  EXPECT_EQ(get()->refused, "lock_held none");
  release(1);
  EXPECT_EQ(first->token(), 2u);
}

TEST_F(keeper_test, of_many_who_wait_on_a_node_only_one_asks) {
  get();
  for (int i = 0; i < 100; ++i)
    ask(10s);
  run();
  auto before = table.acquires;
  advance(5s);
  EXPECT_LT(table.acquires - before, 5s / 50ms);
  EXPECT_GT(table.acquires - before, 5s / 250ms / 2);
}

TEST_F(keeper_test, sees_the_release_of_another_node_soon) {
  add_node();
  get();
  auto x = get(1min, 10min, 1);
  advance(10s);
  EXPECT_EQ(x->answers, 0);
  release(1);
  advance(250ms);
  EXPECT_EQ(x->token(), 2u);
}

TEST_F(keeper_test, two_locks_do_not_wait_for_each_other) {
  get();
  ask(1min);
  auto other = ask(0ms, 10min, 0, "gate");
  run();
  EXPECT_EQ(other->token(), 1u);
}

TEST_F(keeper_test, past_the_bounds_one_has_to_come_again) {
  auto& node = add_node({.waiting = 3, .waiting_on_node = 5});
  get();
  for (int i = 0; i < 3; ++i)
    ask(1min, 10min, 1);
  run();
  EXPECT_EQ(get(1min, 10min, 1)->refused, "too_many_requests none");
  EXPECT_EQ(node.waiting(), 3u);
  table.holds_back = true;
  for (int i = 0; i < 2; ++i)
    ask(0ms, 10min, 1, "gate");
  EXPECT_EQ(ask(0ms, 10min, 1, "hall")->refused, "too_many_requests none");
  run();
  table.holds_back = false;
  table.let_go();
  run();
  EXPECT_EQ(node.waiting(), 3u);
}

// -- those who go ------------------------------------------------------------

TEST_F(keeper_test, whoever_went_gets_nothing) {
  get();
  auto gone = get(1min);
  auto next = get(1min);
  nodes[0]->give_up(gone->id);
  run();
  release(1);
  EXPECT_EQ(gone->answers, 0);
  EXPECT_EQ(next->token(), 2u);
}

TEST_F(keeper_test, a_grant_that_comes_too_late_is_released) {
  table.holds_back = true;
  auto gone = get();
  nodes[0]->give_up(gone->id);
  auto next = get(1min);
  table.holds_back = false;
  table.let_go();
  run();
  EXPECT_EQ(gone->answers, 0);
  EXPECT_EQ(next->token(), 2u);
  EXPECT_EQ(nodes[0]->waiting(), 0u);
}

TEST_F(keeper_test, giving_up_twice_or_too_late_does_nothing) {
  auto x = get();
  nodes[0]->give_up(x->id);
  nodes[0]->give_up(x->id);
  nodes[0]->give_up(0);
  nodes[0]->give_up(12345);
  run();
  EXPECT_EQ(x->token(), 1u);
  EXPECT_EQ(get()->refused, "lock_held none");
}

TEST_F(keeper_test, a_node_that_leaves_lets_nobody_wait) {
  get();
  auto x = get(1min);
  nodes[0]->stop_waiting();
  run();
  EXPECT_EQ(x->refused, "shutting_down none");
  EXPECT_EQ(get(1min)->refused, "lock_held none");
  EXPECT_EQ(release(1), "done");
  EXPECT_EQ(get()->token(), 2u);
}

TEST_F(keeper_test, everybody_is_answered_when_its_actor_ends) {
  get();
  auto x = get(1min);
  stop_all();
  EXPECT_EQ(x->refused, "shutting_down none");
  EXPECT_EQ(get()->refused, "shutting_down none");
  EXPECT_EQ(nodes[0]->waiting(), 0u);
}

// -- the store ---------------------------------------------------------------

TEST_F(keeper_test, a_store_that_is_away_fails_who_does_not_wait) {
  table.failing = 1;
  EXPECT_EQ(get()->refused, "store_unavailable none");
  EXPECT_EQ(get()->token(), 1u);
}

TEST_F(keeper_test, whoever_waits_waits_for_the_store_too) {
  table.failing = 5;
  auto x = get(1min);
  EXPECT_EQ(x->answers, 0);
  advance(2s);
  EXPECT_EQ(x->token(), 1u);
}

// -- many --------------------------------------------------------------------

TEST_F(keeper_test, counts_what_became_of_requests) {
  get();
  get();                  // does not wait
  auto late = ask(1s);    // not for long enough
  auto next = ask(10min); // gets it
  run();
  advance(2s);
  release(1);
  renew(1);
  ASSERT_TRUE(next->got);
  EXPECT_FALSE(late->got);
  auto x = nodes[0]->stats();
  EXPECT_EQ(x.grants, 2u);
  EXPECT_EQ(x.waits, 2u);
  EXPECT_EQ(x.timeouts, 2u);
  EXPECT_EQ(x.renewals_refused, 1u);
  EXPECT_EQ(x.held, 1u);
  EXPECT_EQ(x.waiting, 0u);
  EXPECT_GE(x.waited_ns, 2'000'000'000u);
}

// Clients on three nodes come, go, hold, forget and release: never do two hold
// the lock at the same time, tokens rise, and everybody is answered in time.
TEST_F(keeper_test, nobody_holds_a_lock_beside_somebody_else) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  add_node();
  add_node();
  struct visitor {
    uint64_t id = 0;
    size_t node = 0;
    clock::time_point until;
    bool done = false;
  };
  std::vector<std::shared_ptr<visitor>> all;
  uint64_t last = 0;
  std::optional<clock::time_point> held_until; // of `last`
  size_t grants = 0;
  auto come = [&] {
    milliseconds wait{random() % 400};
    milliseconds ttl{20 + random() % 100};
    auto x = std::make_shared<visitor>();
    x->node = random() % 3;
    x->until = now() + wait;
    x->id = nodes[x->node]->acquire(
      "door", {ttl, wait}, [&, x, ttl](const expected<lock_grant>& got) {
        EXPECT_FALSE(x->done);
        x->done = true;
        EXPECT_LE(now(), x->until + 1ms);
        if (!got)
          return;
        EXPECT_GT(got->proof.token, last);
        // The table counts whole milliseconds.
        EXPECT_TRUE(!held_until || *held_until < now() + 1ms);
        last = got->proof.token;
        held_until = now() + ttl;
        ++grants;
      });
    all.push_back(x);
  };
  for (int i = 0; i < 5000 && !HasFailure(); ++i) {
    switch (random() % 6) {
    case 0:
    case 1:
      come();
      break;
    case 2:
      if (held_until && now() < *held_until) {
        held_until.reset();
        ASSERT_EQ(release(last, random() % 3), "done");
      }
      break;
    case 3:
      if (!all.empty()) {
        auto& x = *all[random() % all.size()];
        if (!x.done) {
          x.done = true;
          nodes[x.node]->give_up(x.id);
          run();
        }
      }
      break;
    default:
      advance(milliseconds{random() % 20});
    }
    for (auto& x : all) {
      ASSERT_TRUE(x->done || now() <= x->until + 1ms) << "nobody told it";
    }
  }
  EXPECT_GT(grants, 200u);
  advance(1s);
  for (auto& x : nodes)
    EXPECT_EQ(x->waiting(), 0u);
}

} // namespace
} // namespace troupe
