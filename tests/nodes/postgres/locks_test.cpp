// What all locks keep, kept by PostgreSQL, and what its own clock does.

#include <gtest/gtest.h>

#include "nodes/store/postgres_server.hpp"
#include "nodes/store/postgres_store.hpp"
#include "tests/support/lock_calls.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"

namespace troupe {
namespace {

struct in_postgres {
  testing::test_clock clock;
  postgres_store store{testing::shared_postgres().new_database(), options()};

  postgres_options options() {
    auto result = testing::patient();
    result.lock_clock = [this] { return clock.now().wall; };
    return result;
  }

  void pass(std::chrono::milliseconds time) { clock.pass(time); }
};

using lock_kinds = ::testing::Types<in_postgres>;

} // namespace
} // namespace troupe

#include "tests/support/lock_contract.hpp"

namespace troupe {
namespace {

TEST(postgres_locks, go_by_the_servers_clock) {
  auto url = testing::shared_postgres().new_database();
  postgres_store one{url, testing::patient()};
  postgres_store two{url, testing::patient()};
  auto first = testing::acquire(*one.locks(), "door", "a", 1h);
  EXPECT_TRUE(first.done);
  EXPECT_EQ(first.now.token, 1u);
  EXPECT_GT(first.now.left, 59min);
  EXPECT_LE(first.now.left, 1h);
  EXPECT_FALSE(testing::acquire(*two.locks(), "door", "b", 1h).done);
  testing::renew(*one.locks(), {"door", 1}, 1ms);
  auto end = std::chrono::steady_clock::now() + 60s;
  auto next = testing::acquire(*two.locks(), "door", "b", 1h);
  while (!next.done && std::chrono::steady_clock::now() < end)
    next = testing::acquire(*two.locks(), "door", "b", 1h);
  EXPECT_TRUE(next.done);
  EXPECT_EQ(next.now.token, 2u);
}

/// The lock changes hands while a commit that is bound to it is under way.
TEST(postgres_locks, a_commit_comes_before_or_after_a_grant) {
  auto url = testing::shared_postgres().new_database();
  postgres_store one{url, testing::patient()};
  postgres_store two{url, testing::patient()};
  const entity_id cart{"cart", "ann"};
  testing::claim(one, cart, our_token).value();
  uint64_t revision = 0;
  for (uint64_t round = 1; round <= 100; ++round) {
    auto held =
      testing::acquire(*one.locks(), "door", "a" + std::to_string(round), 1h);
    ASSERT_TRUE(held.done);
    auto next = change(cart, revision, "x");
    next.locks = {{"door", held.now.token}};
    auto commit = testing::begin_commit(one, next);
    testing::release(*two.locks(), {"door", held.now.token});
    auto later = testing::load(two, cart).value().revision;
    auto outcome = commit.get();
    // What was not there when the lock was given up never comes.
    ASSERT_EQ(testing::load(two, cart).value().revision, later);
    ASSERT_EQ(outcome, later > revision ? commit_outcome::done
                                        : commit_outcome::lock_lost);
    revision = later;
  }
}

/// Until `commit` waits for a row that somebody else has locked, or is over.
void wait_until_it_waits(std::future<commit_outcome>& commit) {
  auto end = std::chrono::steady_clock::now() + 60s;
  while (testing::shared_postgres()
           .sql("SELECT FROM pg_stat_activity WHERE application_name = "
                "'troupe writer' AND wait_event_type = 'Lock'")
           .empty()
         && commit.wait_for(0s) != std::future_status::ready
         && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
}

/// A session of another node has taken the lock and not committed yet.
TEST(postgres_locks, a_commit_waits_for_the_grant_of_its_lock) {
  auto url = testing::shared_postgres().new_database();
  postgres_store store{url, testing::patient()};
  const entity_id cart{"cart", "ann"};
  testing::claim(store, cart, our_token).value();
  testing::acquire(*store.locks(), "door", "a", 1h);
  postgres_server other{url, testing::patient()};
  auto link = other.connect({"other", 60s, 40s, 60s, {}, {}}, {});
  link.connection->execute("BEGIN");
  link.connection->execute("UPDATE lock SET token = 2, holder = 'b'");
  auto next = change(cart, 0, "x");
  next.locks = {{"door", 1}};
  auto commit = testing::begin_commit(store, next);
  wait_until_it_waits(commit);
  link.connection->execute("COMMIT");
  EXPECT_EQ(commit.get(), commit_outcome::lock_lost);
  EXPECT_FALSE(testing::load(store, cart).value().exists());
}

/// The same, but it is the entity that somebody else takes: its old owner must
/// not believe that it only lost a lock.
TEST(postgres_locks, whoever_loses_both_hears_of_the_entity) {
  auto url = testing::shared_postgres().new_database();
  postgres_store store{url, testing::patient()};
  const entity_id cart{"cart", "ann"};
  testing::claim(store, cart, our_token).value();
  postgres_server other{url, testing::patient()};
  auto link = other.connect({"other", 60s, 40s, 60s, {}, {}}, {});
  link.connection->execute("BEGIN");
  link.connection->execute("UPDATE entity SET token = '\\x00'");
  auto next = change(cart, 0, "x");
  next.locks = {{"door", 1}};
  auto commit = testing::begin_commit(store, next);
  wait_until_it_waits(commit);
  link.connection->execute("COMMIT");
  EXPECT_EQ(commit.get(), commit_outcome::refused);
}

} // namespace
} // namespace troupe
