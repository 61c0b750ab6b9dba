// Work that comes with commits, on a server that is killed, whose sessions are cut
// and whose rows somebody has locked. Goal: the work of a commit is there if and
// only if its state is, once, and what it withdraws is gone with it.

#include <chrono>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "nodes/store/postgres_server.hpp"
#include "nodes/store/postgres_store.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/settling_clients.hpp"
#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::begin_commit;
using testing::change;
using testing::our_token;
using testing::postgres_instance;
using testing::postgres_stop;
using testing::shared_postgres;
using testing::work_id;

/// Another one than the other tests have.
postgres_instance& server() {
  static postgres_instance result;
  return result;
}

/// That of the n-th entity.
entity_id cart(int n) {
  return {"cart", std::to_string(n)};
}

// -- a server that goes away -------------------------------------------------

/// The note that comes with a revision of a client's entity.
invocation_id note_of(const entity_id& entity, uint64_t revision) {
  return {1 + std::stoull(entity.key), revision};
}

/// Each revision brings its note, and takes back that of two before it.
void bring_and_withdraw(commit_request& x) {
  auto revision = x.next.revision;
  x.work = {testing::note(note_of(x.entity, revision), x.entity.key,
                          std::to_string(revision))};
  x.work[0].idempotency_key = std::to_string(revision);
  if (revision > 2)
    x.withdrawn = {note_of(x.entity, revision - 2)};
}

/// So the last two are what waits, whatever happened.
void expect_the_last_notes(state_store& store, int clients) {
  std::vector<work_target> expected;
  for (int i = 0; i < clients; ++i) {
    auto key = std::to_string(i);
    auto revision = testing::load(store, {"settling", key}).value().revision;
    for (auto n = revision > 1 ? revision - 1 : 1; n <= revision; ++n)
      expected.push_back({"note", {}, key, std::to_string(n)});
  }
  EXPECT_EQ(testing::notes(store), expected);
}

class postgres_commit_work_restarts
  : public ::testing::TestWithParam<postgres_stop> {};

TEST_P(postgres_commit_work_restarts, keep_states_and_their_work_together) {
  constexpr int count = 8;
  postgres_store store{server().new_database(), testing::patient()};
  testing::settling_clients clients{store, count, bring_and_withdraw};
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(clients.wait_for(200));
    server().stop(GetParam());
    server().start();
  }
  EXPECT_TRUE(clients.wait_for(200));
  clients.stop();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  expect_the_last_notes(store, count);
  std::printf("%s\n", clients.summary().c_str());
}

INSTANTIATE_TEST_SUITE_P(all, postgres_commit_work_restarts,
                         ::testing::Values(postgres_stop::fast,
                                           postgres_stop::immediate,
                                           postgres_stop::killed));

TEST(postgres_commit_work, settles_when_sessions_are_cut_at_any_moment) {
  constexpr int count = 8;
  auto url = shared_postgres().new_database();
  postgres_store store{url, testing::patient()};
  testing::settling_clients clients{store, count, bring_and_withdraw};
  for (int round = 0; round < 60; ++round) {
    ASSERT_TRUE(clients.wait_for(30));
    shared_postgres().sql("SELECT pg_terminate_backend(pid) FROM "
                          "pg_stat_activity WHERE application_name = "
                          "'troupe writer' AND datname = '"
                          + testing::database_of(url) + "'");
  }
  clients.stop();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  expect_the_last_notes(store, count);
  std::printf("%s\n", clients.summary().c_str());
}

// -- others that have the same rows ------------------------------------------

TEST(postgres_commit_work, of_two_nodes_with_the_same_keys_is_there_once) {
  constexpr int count = 200;
  auto url = shared_postgres().new_database();
  postgres_store one{url, testing::patient()};
  postgres_store two{url, testing::patient()};
  for (int i = 0; i < 2 * count; ++i)
    testing::claim(one, cart(i), our_token).value();
  std::vector<std::future<commit_outcome>> commits;
  for (int i = 0; i < 2 * count; ++i) {
    auto request = change(cart(i), 0, "1");
    request.work = {testing::note(work_id(static_cast<uint64_t>(i)), "ann",
                                  std::to_string(i / 2))};
    request.work[0].idempotency_key = "key";
    commits.push_back(begin_commit(i % 2 == 0 ? one : two, request));
  }
  for (auto& x : commits)
    EXPECT_EQ(x.get(), commit_outcome::done);
  EXPECT_EQ(testing::notes(one).size(), size_t{count});
}

/// Commits of one entity that are all under way keep their order: what one brings,
/// the next can take back.
TEST(postgres_commit_work, is_withdrawn_by_the_commit_after_the_one_under_way) {
  constexpr uint64_t count = 100;
  postgres_store store{shared_postgres().new_database(), testing::patient()};
  testing::claim(store, cart(1), our_token).value();
  std::vector<std::future<commit_outcome>> commits;
  for (uint64_t i = 0; i < count; ++i) {
    auto request = change(cart(1), i, "1");
    request.work = {testing::note(work_id(i), "ann", std::to_string(i))};
    if (i > 0)
      request.withdrawn = {work_id(i - 1)};
    commits.push_back(begin_commit(store, request));
  }
  for (auto& x : commits)
    EXPECT_EQ(x.get(), commit_outcome::done);
  EXPECT_EQ(testing::notes(store),
            (std::vector<work_target>{{"note", {}, "ann", "99"}}));
}

TEST(postgres_commit_work, in_a_row_that_is_locked_fails_its_commit_alone) {
  auto url = shared_postgres().new_database();
  auto options = testing::patient();
  options.lock_time = 300ms;
  options.idle_in_transaction_time = 120s; // the lock stays
  postgres_store store{url, options};
  auto commit_all = [&](uint64_t base) {
    std::vector<std::future<commit_outcome>> result;
    for (uint64_t i = 0; i < 20; ++i) {
      auto request = change(cart(static_cast<int>(i)), base, "1");
      if (base == 0)
        request.work = {testing::note(work_id(i), "ann", std::to_string(i))};
      else
        request.withdrawn = {work_id(i)};
      result.push_back(begin_commit(store, request));
    }
    return result;
  };
  for (int i = 0; i < 20; ++i)
    testing::claim(store, cart(i), our_token).value();
  for (auto& x : commit_all(0))
    ASSERT_EQ(x.get(), commit_outcome::done);
  postgres_server stopped{url, options};
  auto link = stopped.connect({"stopped", 60s, 40s, 60s, {}, {}}, {});
  link.connection->execute("BEGIN");
  link.connection->execute(
    "SELECT FROM work_waiting WHERE id = $1::uuid FOR UPDATE",
    {"01900000-0000-7000-0000-000000000007"});
  auto commits = commit_all(1);
  for (size_t i = 0; i < commits.size(); ++i)
    EXPECT_EQ(commits[i].get(),
              i == 7 ? commit_outcome::failed : commit_outcome::done);
  EXPECT_EQ(testing::load(store, cart(7)).value().revision, 1u);
  EXPECT_EQ(testing::notes(store),
            (std::vector<work_target>{{"note", {}, "ann", "7"}}));
  link.connection->execute("ROLLBACK");
}

} // namespace
} // namespace troupe
