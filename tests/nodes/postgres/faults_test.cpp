// A server that is restarted, killed, paused or full of locks, and sessions that
// are cut. Goal: each operation gets an answer within its time, and the answer is
// true: what was `done` is there, what was `failed` is not, and what is `unknown`
// is settled by the next claim.

#include <chrono>
#include <cstdio>
#include <future>
#include <random>

#include <gtest/gtest.h>

#include "nodes/store/postgres_server.hpp"
#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/settling_clients.hpp"
#include "tests/support/store_calls.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::begin_claim;
using testing::begin_commit;
using testing::change;
using testing::our_token;
using testing::postgres_instance;
using testing::postgres_stop;
using clock = std::chrono::steady_clock;

constexpr fencing_token theirs{3, 4};

/// Another one than the other tests have.
postgres_instance& server() {
  static postgres_instance result;
  return result;
}

/// For tests of what hangs.
postgres_options impatient() {
  auto result = testing::patient();
  result.statement_time = 4s;
  result.cluster_time = 4s;
  result.connect_time = 15s; // also that of the first, when nothing hangs yet
  return result;
}

/// For tests of rows that somebody has locked.
postgres_options impatient_for_locks() {
  auto result = testing::patient();
  result.lock_time = 300ms;
  result.cluster_lock_time = 200ms;
  result.idle_in_transaction_time = 3s;
  return result;
}

/// Far more than any of it takes, and far less than for ever.
constexpr auto soon = 40s;

/// The process of the server that serves `name`: "writer".
std::string backend_of(const std::string& name, const std::string& url) {
  return server()
    .sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'troupe "
         + name + "' AND datname = '" + testing::database_of(url) + "'")
    .at(0)
    .at(0);
}

class postgres_faults : public ::testing::Test {
protected:
  /// Entities at revision 1 that `our_token` has claimed.
  void make(const std::string& url, const std::vector<entity_id>& entities) {
    postgres_store store{url, testing::patient()};
    for (auto& x : entities)
      ASSERT_EQ(testing::put(store, x, "1"), commit_outcome::done);
  }

  /// Claims and commits until that works.
  bool works_again(state_store& store, const entity_id& entity,
                   std::chrono::seconds time = 90s) {
    auto end = clock::now() + time;
    while (clock::now() < end)
      if (testing::put(store, entity, "[0]") == commit_outcome::done)
        return true;
    return false;
  }

  /// Reads until that works. A session that could not be made is tried again
  /// after a while, and reads fail until then.
  stored_state load_again(state_store& store, const entity_id& entity,
                          std::chrono::seconds time = 90s) {
    auto end = clock::now() + time;
    auto found = testing::load(store, entity);
    while (!found && clock::now() < end)
      found = testing::load(store, entity);
    return found.value();
  }

  const entity_id cart{"cart", "ann"};
  const entity_id other{"cart", "bob"};
};

// -- restarts ----------------------------------------------------------------

class postgres_restarts : public ::testing::TestWithParam<postgres_stop> {};

TEST_P(postgres_restarts, lose_nothing_that_was_acknowledged) {
  postgres_store store{server().new_database(), testing::patient()};
  testing::settling_clients clients{store, 8};
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(clients.wait_for(200));
    server().stop(GetParam());
    server().start();
  }
  EXPECT_TRUE(clients.wait_for(200));
  clients.stop();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  std::printf("%s\n", clients.summary().c_str());
}

INSTANTIATE_TEST_SUITE_P(all, postgres_restarts,
                         ::testing::Values(postgres_stop::fast,
                                           postgres_stop::immediate,
                                           postgres_stop::killed));

/// The server's own default would acknowledge what is in its memory only.
TEST_F(postgres_faults, a_server_that_is_in_a_hurry_loses_nothing_either) {
  auto url = server().new_database();
  server().sql("ALTER DATABASE " + testing::database_of(url)
               + " SET synchronous_commit = off");
  server().set("wal_writer_delay", "10s");
  std::atomic<bool> is_told{false};
  auto options = testing::patient();
  options.log = [&](postgres_notice, const std::string& text) {
    if (text.find("synchronous_commit = off") != text.npos)
      is_told = true;
  };
  postgres_store store{url, options};
  EXPECT_TRUE(is_told);
  testing::put(store, cart, "1");
  for (uint64_t i = 1; i < 20; ++i)
    ASSERT_EQ(testing::commit(store, change(cart, i, "x")),
              commit_outcome::done);
  server().stop(postgres_stop::killed);
  server().start();
  server().set("wal_writer_delay", "200ms");
  EXPECT_TRUE(works_again(store, other));
  EXPECT_EQ(load_again(store, cart).revision, 20u);
}

TEST_F(postgres_faults, fail_at_once_while_the_server_is_gone) {
  postgres_store store{server().new_database(), testing::patient()};
  testing::put(store, cart, "1");
  server().stop(postgres_stop::fast);
  std::vector<std::future<commit_outcome>> commits;
  std::vector<std::future<expected<claimed_state>>> claims;
  auto began = clock::now();
  for (int i = 0; i < 1'000; ++i) {
    commits.push_back(begin_commit(store, change(cart, 1, "2")));
    claims.push_back(begin_claim(store, cart, theirs));
  }
  for (auto& x : commits)
    EXPECT_EQ(x.get(), commit_outcome::failed);
  for (auto& x : claims)
    EXPECT_EQ(x.get().error(), errc::store_unavailable);
  EXPECT_EQ(testing::load(store, cart).error(), errc::store_unavailable);
  EXPECT_LT(clock::now() - began, soon);
  server().start();
  EXPECT_TRUE(works_again(store, cart));
  EXPECT_EQ(load_again(store, cart).revision, 2u);
}

TEST_F(postgres_faults, a_connection_that_is_there_again_is_no_trouble) {
  std::atomic<int> lost{0};
  std::atomic<int> again{0};
  auto options = testing::patient();
  options.log = [&](postgres_notice kind, const std::string& text) {
    if (text.find("connected to") != text.npos)
      again += kind == postgres_notice::news ? 1 : 1000;
    else
      lost += kind == postgres_notice::trouble ? 1 : 1000;
  };
  postgres_store store{server().new_database(), options};
  testing::put(store, cart, "1");
  server().stop(postgres_stop::fast);
  EXPECT_EQ(testing::commit(store, change(cart, 1, "2")),
            commit_outcome::failed);
  server().start();
  EXPECT_TRUE(works_again(store, cart));
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 1000);
  EXPECT_GT(again, 0);
  EXPECT_LT(again, 1000);
}

TEST_F(postgres_faults, a_session_that_was_cut_while_idle_costs_nothing) {
  auto url = server().new_database();
  postgres_store store{url, testing::patient()};
  testing::put(store, cart, "1");
  for (uint64_t i = 1; i <= 5; ++i) {
    server().sql("SELECT pg_terminate_backend(pid, 10000) FROM "
                 "pg_stat_activity WHERE datname = '"
                 + testing::database_of(url) + "'");
    EXPECT_EQ(testing::commit(store, change(cart, i, "x")),
              commit_outcome::done);
    EXPECT_EQ(testing::load(store, cart).value().revision, i + 1);
  }
}

// -- what hangs --------------------------------------------------------------

TEST_F(postgres_faults, a_server_that_stands_still_keeps_nobody_waiting) {
  auto url = server().new_database();
  make(url, {cart, other});
  postgres_store store{url, impatient()};
  server().pause();
  auto began = clock::now();
  auto first = begin_commit(store, change(cart, 1, "2"));
  auto read = testing::begin<expected<stored_state>>(
    [&](auto done) { store.load(cart, std::move(done)); });
  auto renewal = testing::begin<expected<lease_view>>([&](auto done) {
    lease_row mine;
    mine.incarnation = "a";
    store.leases().renew(mine, std::move(done));
  });
  EXPECT_EQ(first.get(), commit_outcome::unknown);
  EXPECT_LT(clock::now() - began, soon);
  auto second = begin_commit(store, change(other, 1, "2"));
  EXPECT_EQ(second.get(), commit_outcome::failed);
  EXPECT_EQ(read.get().error(), errc::store_unavailable);
  EXPECT_EQ(renewal.get().error(), errc::store_unavailable);
  EXPECT_LT(clock::now() - began, soon);
  server().resume();
  auto end = clock::now() + 90s;
  auto settled = testing::claim(store, cart, theirs);
  while (!settled && clock::now() < end)
    settled = testing::claim(store, cart, theirs);
  ASSERT_TRUE(settled);
  EXPECT_LE(settled->found.revision, 2u);
  // The other one failed, and its claim still holds.
  EXPECT_EQ(load_again(store, other).revision, 1u);
  EXPECT_EQ(testing::commit(store, change(other, 1, "3")),
            commit_outcome::done);
  EXPECT_EQ(load_again(store, cart), settled->found);
}

TEST_F(postgres_faults, pauses_under_load_settle) {
  postgres_store store{server().new_database(), impatient()};
  testing::settling_clients clients{store, 8};
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(clients.wait_for(200));
    auto before = clients.unknown.load();
    server().pause();
    auto end = clock::now() + 10s;
    while (clients.unknown == before && clock::now() < end)
      std::this_thread::yield();
    server().resume();
  }
  EXPECT_TRUE(clients.wait_for(200));
  clients.stop();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  EXPECT_GT(clients.unknown, 0u);
  std::printf("%s\n", clients.summary().c_str());
}

/// What was sent to a session that hangs is not done by it later, not even if
/// the same token claims again.
TEST_F(postgres_faults, what_hung_is_not_done_once_it_was_claimed_again) {
  auto url = server().new_database();
  make(url, {cart});
  postgres_store store{url, impatient()};
  auto pid = static_cast<pid_t>(std::stol(backend_of("writer", url)));
  kill(pid, SIGSTOP);
  EXPECT_EQ(testing::commit(store, change(cart, 1, "late")),
            commit_outcome::unknown);
  auto end = clock::now() + 90s;
  auto settled = testing::claim(store, cart, our_token);
  while (!settled && clock::now() < end)
    settled = testing::claim(store, cart, our_token);
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->found.revision, 1u);
  kill(pid, SIGCONT);
  // Gone for good: then nothing of it can come any more.
  server().sql("SELECT pg_terminate_backend(" + std::to_string(pid)
               + ", 10000)");
  EXPECT_EQ(load_again(store, cart), (stored_state{1, "1", 1}));
}

// -- locks -------------------------------------------------------------------

/// A node that stops in the middle of a transaction, with the settings that all
/// sessions of a store have.
class stopped_node {
public:
  stopped_node(const std::string& url, const postgres_options& options,
               const entity_id& locked)
    : server_(url, options),
      link_(server_.connect({"stopped", 60s, 40s, 60s, {}, {}}, {})) {
    link_.connection->execute("BEGIN");
    link_.connection->execute("UPDATE entity SET revision = revision "
                              "WHERE key = convert_to($1, 'UTF8')",
                              {locked.key});
  }

private:
  postgres_server server_;
  postgres_link link_;
};

TEST_F(postgres_faults, a_row_that_is_locked_holds_up_nobody_elses) {
  auto url = server().new_database();
  auto options = impatient_for_locks();
  options.idle_in_transaction_time = 120s; // the lock stays
  postgres_store store{url, options};
  std::vector<entity_id> all;
  for (int i = 0; i < 20; ++i)
    all.push_back({"cart", std::to_string(i)});
  for (auto& x : all)
    testing::put(store, x, "1");
  stopped_node stopped{url, options, all[7]};
  auto began = clock::now();
  std::vector<std::future<commit_outcome>> commits;
  for (auto& x : all)
    commits.push_back(begin_commit(store, change(x, 1, "2")));
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(commits[i].get(),
              i == 7 ? commit_outcome::failed : commit_outcome::done)
      << i;
  EXPECT_LT(clock::now() - began, soon);
}

TEST_F(postgres_faults, a_node_that_stands_still_holds_rows_for_so_long_only) {
  auto url = server().new_database();
  auto options = impatient_for_locks();
  postgres_store store{url, options};
  testing::put(store, cart, "1");
  stopped_node stopped{url, options, cart};
  auto began = clock::now();
  auto claimed = testing::claim(store, cart, theirs);
  EXPECT_FALSE(claimed);
  EXPECT_LT(clock::now() - began, soon);
  while (!claimed && clock::now() < began + 90s)
    claimed = testing::claim(store, cart, theirs);
  EXPECT_TRUE(claimed);
  EXPECT_EQ(testing::commit(store, change(cart, 1, "2", theirs)),
            commit_outcome::done);
}

TEST_F(postgres_faults, a_move_waits_no_longer_than_a_lease_can) {
  auto url = server().new_database();
  auto options = impatient_for_locks();
  options.idle_in_transaction_time = 120s;
  postgres_store store{url, options};
  auto view = testing::begin<expected<shard_view>>(
    [&](auto done) { store.shards().read(8, 0, std::move(done)); });
  ASSERT_TRUE(view.get());
  postgres_server stopped{url, options};
  auto link = stopped.connect({"stopped", 60s, 40s, 60s, {}, {}}, {});
  link.connection->execute("BEGIN");
  link.connection->execute("SELECT FROM shard WHERE id = 3 FOR SHARE");
  auto began = clock::now();
  auto moved =
    testing::begin<expected<std::vector<move_result>>>([&](auto done) {
      store.shards().move({{3, "", 0, "a"}}, std::move(done));
    });
  EXPECT_EQ(moved.get().error(), errc::store_unavailable);
  EXPECT_LT(clock::now() - began, soon);
  link.connection->execute("ROLLBACK");
  auto again =
    testing::begin<expected<std::vector<move_result>>>([&](auto done) {
      store.shards().move({{3, "", 0, "a"}}, std::move(done));
    });
  EXPECT_TRUE(again.get().value().at(0).moved);
}

/// A claim that began before a move was committed, and ends after it.
TEST_F(postgres_faults, a_claim_waits_for_the_move_of_its_shard) {
  auto url = server().new_database();
  postgres_store store{url, testing::patient()};
  auto view = testing::begin<expected<shard_view>>(
    [&](auto done) { store.shards().read(8, 0, std::move(done)); });
  ASSERT_TRUE(view.get());
  auto moved =
    testing::begin<expected<std::vector<move_result>>>([&](auto done) {
      store.shards().move({{3, "", 0, "a"}}, std::move(done));
    });
  ASSERT_TRUE(moved.get());
  postgres_server mover{url, testing::patient()};
  auto link = mover.connect({"mover", 60s, 40s, 60s, {}, {}}, {});
  link.connection->execute("BEGIN");
  link.connection->execute(
    "UPDATE shard SET owner = 'b', epoch = 2 WHERE id = 3");
  auto claimed = testing::begin<expected<claimed_state>>([&](auto done) {
    store.claim(cart, our_token, shard_ownership{3, "a", 1}, std::move(done));
  });
  auto end = clock::now() + 10s;
  while (server()
           .sql("SELECT FROM pg_stat_activity WHERE application_name = "
                "'troupe writer' AND wait_event_type = 'Lock'")
           .empty()
         && claimed.wait_for(0s) != std::future_status::ready
         && clock::now() < end)
    std::this_thread::yield();
  link.connection->execute("COMMIT");
  auto refused = claimed.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), errc::not_owner);
}

TEST_F(postgres_faults, two_nodes_that_claim_from_each_other_lose_no_change) {
  auto url = server().new_database();
  postgres_store stores[]{postgres_store{url, testing::patient()},
                          postgres_store{url, testing::patient()}};
  constexpr uint64_t increments = 50;
  constexpr int keys = 3;
  auto key = [](int i) { return entity_id{"cart", "k" + std::to_string(i)}; };
  auto compete = [&](uint64_t id) {
    auto& store = stores[id % 2];
    for (int i = 0; i < keys; ++i)
      for (uint64_t count = 0, round = 0; count < increments; ++round) {
        fencing_token token{id, round};
        auto found = testing::claim(store, key(i), token);
        if (!found)
          continue; // it waited for too long
        auto value =
          found->found.exists() ? std::stoull(found->found.state) : 0;
        auto next = change(key(i), found->found.revision,
                           std::to_string(value + 1), token);
        if (testing::commit(store, next) == commit_outcome::done)
          ++count;
      }
  };
  std::vector<std::thread> all;
  for (uint64_t i = 1; i <= 4; ++i)
    all.emplace_back(compete, i);
  for (auto& x : all)
    x.join();
  for (int i = 0; i < keys; ++i)
    EXPECT_EQ(testing::load(stores[0], key(i)).value().state,
              std::to_string(4 * increments));
}

// -- bounds ------------------------------------------------------------------

TEST_F(postgres_faults, every_request_is_answered_once_however_many_wait) {
  auto options = impatient();
  options.queue = 10;
  auto url = server().new_database();
  make(url, {cart});
  auto store = std::make_unique<postgres_store>(url, options);
  constexpr int requests = 500;
  std::vector<std::atomic<int>> answers(3 * requests);
  server().pause();
  for (int i = 0; i < requests; ++i) {
    store->commit(change(cart, 1, "2"), [&answers, i](auto) { ++answers[i]; });
    store->claim(other, theirs,
                 [&answers, i](const auto&) { ++answers[requests + i]; });
    store->load(cart,
                [&answers, i](const auto&) { ++answers[2 * requests + i]; });
  }
  auto began = clock::now();
  store.reset();
  EXPECT_LT(clock::now() - began, soon);
  server().resume();
  for (auto& x : answers)
    EXPECT_EQ(x, 1);
}

TEST_F(postgres_faults, a_value_that_does_not_fit_fails_only_itself) {
  postgres_store store{server().new_database(), testing::patient()};
  testing::put(store, cart, "1");
  testing::put(store, other, "1");
  auto large = change(cart, 1, "2");
  large.next.state.assign(250'000'001, 'x');
  EXPECT_EQ(testing::commit(store, std::move(large)), commit_outcome::failed);
  // An id that no index takes, in one group with a commit that is good.
  std::mt19937_64 random{1};
  auto odd = change(cart, 1, "2");
  odd.outcomes.push_back({"", "", 2, false, "", ""});
  for (int i = 0; i < 8'000; ++i)
    odd.outcomes[0].id.push_back(static_cast<char>(random()));
  std::vector<std::future<commit_outcome>> busy;
  for (uint64_t i = 1; i <= 30; ++i) // so that the next two wait together
    busy.push_back(begin_commit(store, change({"cart", "busy"}, i, "x")));
  auto wrong = begin_commit(store, odd);
  auto right = begin_commit(store, change(other, 1, "2"));
  EXPECT_EQ(wrong.get(), commit_outcome::failed);
  EXPECT_EQ(right.get(), commit_outcome::done);
}

/// More than one transaction of bytes, and more than a socket takes at once.
TEST_F(postgres_faults, many_large_states_go_through) {
  postgres_store store{server().new_database(), testing::patient()};
  std::vector<std::future<expected<claimed_state>>> claims;
  std::vector<std::future<commit_outcome>> commits;
  for (int i = 0; i < 40; ++i)
    claims.push_back(
      begin_claim(store, {"cart", std::to_string(i)}, our_token));
  for (auto& x : claims)
    ASSERT_TRUE(x.get());
  for (int i = 0; i < 40; ++i)
    commits.push_back(begin_commit(
      store, change({"cart", std::to_string(i)}, 0,
                    std::string(1'000'000, static_cast<char>('a' + i % 26)))));
  for (auto& x : commits)
    EXPECT_EQ(x.get(), commit_outcome::done);
  auto all = testing::list(store, {"cart", "", "", 100, true}).value();
  ASSERT_EQ(all.size(), 40u);
  for (auto& x : all)
    EXPECT_EQ(x.state.state.size(), 1'000'000u);
}

// -- what is old -------------------------------------------------------------

TEST_F(postgres_faults, outcomes_are_kept_for_a_day_and_then_go) {
  auto url = server().new_database();
  auto database = testing::database_of(url);
  {
    postgres_store store{url, testing::patient()};
    testing::put(store, cart, "1");
    auto request = change(cart, 1, "2");
    request.outcomes = {{"old", "f", 2, false, "t", "b"},
                        {"young", "f", 2, false, "t", "b"}};
    ASSERT_EQ(testing::commit(store, request), commit_outcome::done);
  }
  server().sql("UPDATE troupe.outcome SET recorded_at = now() - interval "
               "'24 hours 1 minute' WHERE id = 'old'",
               database);
  server().sql("UPDATE troupe.outcome SET recorded_at = now() - interval "
               "'23 hours 59 minutes' WHERE id = 'young'",
               database);
  postgres_store store{url, testing::patient()};
  auto end = clock::now() + 90s;
  while (testing::find_outcome(store, cart, "old").value()
         && clock::now() < end)
    std::this_thread::yield();
  EXPECT_FALSE(testing::find_outcome(store, cart, "old").value());
  EXPECT_TRUE(testing::find_outcome(store, cart, "young").value());
}

} // namespace
} // namespace troupe
