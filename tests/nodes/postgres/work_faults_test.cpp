// Work on a server that is killed or restarted, whose sessions are cut, whose rows
// somebody has locked, and that is asked for what does not fit. Goal: what was
// acknowledged is there, done once; what is unknown is settled by the same
// request again; and a request that fails fails alone. And a claim goes straight
// to the rows that it takes, whatever waits.

#include <cstdio>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/store/postgres_commit_work.hpp"
#include "nodes/store/postgres_server.hpp"
#include "nodes/store/postgres_store.hpp"
#include "nodes/store/postgres_work_group.hpp"
#include "nodes/store/postgres_work_moves.hpp"
#include "nodes/store/postgres_work_queries.hpp"
#include "tests/support/postgres_patience.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/work_clients.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::accept;
using testing::at;
using testing::begin_accept;
using testing::begin_claim;
using testing::begin_report;
using testing::find_work;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::postgres_instance;
using testing::postgres_stop;
using testing::report;
using testing::shared_postgres;
using testing::work;
using testing::work_clients;
using testing::work_id;

/// Another one than the other tests have.
postgres_instance& server() {
  static postgres_instance result;
  return result;
}

std::string ask(postgres_instance& where, const std::string& url,
                const std::string& question) {
  return where.sql(question, testing::database_of(url)).at(0).at(0);
}

/// What the rows themselves say: each piece is in one table, and long arguments
/// are there for as long as somebody may want them.
void expect_rows_fit(postgres_instance& where, const std::string& url) {
  constexpr auto all =
    "(SELECT id, body IS NULL AS is_long FROM troupe.work_waiting UNION ALL "
    "SELECT id, body IS NULL FROM troupe.work_claimed UNION ALL "
    "SELECT id, body IS NULL FROM troupe.work_dead UNION ALL "
    "SELECT id, false FROM troupe.work_done) w";
  EXPECT_EQ(
    ask(where, url,
        std::string{"SELECT count(*) - count(DISTINCT id) FROM "} + all),
    "0");
  EXPECT_EQ(ask(where, url,
                std::string{"SELECT count(*) FROM troupe.work_body b FULL JOIN "
                            "(SELECT id FROM "}
                  + all
                  + " WHERE is_long) w USING (id) "
                    "WHERE b.body IS NULL OR w.id IS NULL"),
            "0");
}

// -- a server that goes away -------------------------------------------------

class postgres_work_restarts : public ::testing::TestWithParam<postgres_stop> {
};

TEST_P(postgres_work_restarts, lose_nothing_and_do_nothing_twice) {
  auto url = server().new_database();
  postgres_store store{url, testing::patient()};
  postgres_store other{url, testing::patient()};
  work_clients clients{*store.work(), 8};
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(clients.wait_for(200));
    server().stop(GetParam());
    server().start();
  }
  EXPECT_TRUE(clients.wait_for(200));
  clients.stop();
  clients.check();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  EXPECT_GT(clients.failed + clients.unknown, 0u);
  EXPECT_TRUE(testing::claimants(*other.work())->empty());
  expect_rows_fit(server(), url);
  std::printf("%s\n", clients.summary().c_str());
}

INSTANTIATE_TEST_SUITE_P(all, postgres_work_restarts,
                         ::testing::Values(postgres_stop::fast,
                                           postgres_stop::immediate,
                                           postgres_stop::killed));

TEST(postgres_work, sessions_that_are_cut_at_any_moment_settle) {
  auto url = shared_postgres().new_database();
  postgres_store store{url, testing::patient()};
  work_clients clients{*store.work(), 8};
  for (int round = 0; round < 60; ++round) {
    ASSERT_TRUE(clients.wait_for(30));
    shared_postgres().sql("SELECT pg_terminate_backend(pid) FROM "
                          "pg_stat_activity WHERE application_name = "
                          "'troupe work' AND datname = '"
                          + testing::database_of(url) + "'");
  }
  clients.stop();
  clients.check();
  EXPECT_EQ(clients.violations(), std::vector<std::string>{});
  expect_rows_fit(shared_postgres(), url);
  std::printf("%s\n", clients.summary().c_str());
}

TEST(postgres_work, fails_at_once_while_the_server_is_gone) {
  auto url = server().new_database();
  postgres_store store{url, testing::patient()};
  auto& queue = *store.work();
  accept(queue, {work(1), "", "", "node"}).value();
  server().stop(postgres_stop::fast);
  std::vector<std::future<expected<work_accepted>>> accepts;
  for (uint64_t n = 10; n < 1'000; ++n)
    accepts.push_back(begin_accept(queue, {work(n)}));
  for (auto& x : accepts) {
    auto refused = x.get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), errc::store_unavailable);
  }
  work_report end{work_id(1), "node", 1, work_end::succeeded};
  auto outcome = report(queue, end, at(1));
  EXPECT_TRUE(outcome == work_outcome::failed
              || outcome == work_outcome::unknown);
  EXPECT_FALSE(find_work(queue, work_id(1)));
  EXPECT_FALSE(begin_claim(queue, "node", {{"add", 1}}, at(0)).get());
  server().start();
  auto until = std::chrono::steady_clock::now() + 90s;
  while (outcome != work_outcome::done
         && std::chrono::steady_clock::now() < until)
    outcome = report(queue, end, at(1));
  EXPECT_EQ(outcome, work_outcome::done);
}

// -- requests that fail ------------------------------------------------------

/// An idempotency key is in an index, which has no room for a target like this.
TEST(postgres_work, what_does_not_fit_fails_alone_and_the_rest_in_its_order) {
  postgres_store store{shared_postgres().new_database(), testing::patient()};
  auto& queue = *store.work();
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::string noise; // it cannot be compressed
  for (int i = 0; i < 20'000; ++i)
    noise.push_back(static_cast<char>(random()));
  std::vector<std::future<expected<work_accepted>>> good;
  std::vector<std::future<expected<work_accepted>>> bad;
  std::vector<std::future<work_outcome>> reports;
  for (uint64_t n = 0; n < 100; ++n) {
    good.push_back(begin_accept(queue, {work(n), "", "", "node"}));
    if (n % 10 == 0)
      bad.push_back(begin_accept(
        queue, {work(1000 + n, {"s", "", noise, "m"}), "key", "print"}));
    work_report end{work_id(n), "node", 1, work_end::succeeded};
    end.follow = {{work(2000 + n, {"next"})}};
    reports.push_back(begin_report(queue, end, at(1)));
  }
  for (auto& x : good)
    EXPECT_TRUE(x.get().value().is_new);
  for (auto& x : reports)
    EXPECT_EQ(x.get(), work_outcome::done);
  for (auto& x : bad) {
    auto refused = x.get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), errc::store_unavailable);
    EXPECT_EQ(refused.error().what_happened(), effect::none);
  }
  auto listed = testing::list_work(queue, {work_state::waiting}).value();
  EXPECT_EQ(listed.size(), 100u);
}

TEST(postgres_work, a_row_that_is_locked_holds_up_nobody_elses) {
  auto url = shared_postgres().new_database();
  auto options = testing::patient();
  options.lock_time = 300ms;
  options.idle_in_transaction_time = 120s; // the lock stays
  postgres_store store{url, options};
  auto& queue = *store.work();
  for (uint64_t n = 0; n < 20; ++n) {
    accept(queue, {work(n), "", "", "node"}).value();
    accept(queue, {work(100 + n, {"lane"})}).value();
  }
  postgres_server stopped{url, options};
  auto link = stopped.connect({"stopped", 60s, 40s, 60s, {}, {}}, {});
  link.connection->execute("BEGIN");
  for (auto statement :
       {"SELECT FROM work_claimed WHERE id = $1::uuid FOR UPDATE",
        "SELECT FROM work_waiting WHERE id = $1::uuid FOR UPDATE"})
    for (auto n : {"07", "6b"}) // 7, and 107
      link.connection->execute(
        statement, {std::string{"01900000-0000-7000-0000-0000000000"} + n});
  std::vector<std::future<work_outcome>> reports;
  for (uint64_t n = 0; n < 20; ++n)
    reports.push_back(
      begin_report(queue, {work_id(n), "node", 1, work_end::succeeded}, at(1)));
  for (size_t n = 0; n < 20; ++n)
    EXPECT_EQ(reports[n].get(),
              n == 7 ? work_outcome::failed : work_outcome::done);
  auto claimed = begin_claim(queue, "node", {{"lane", 30}}, at(0)).get();
  EXPECT_EQ(claimed->size(), 19u) << "another node is about to take one";
  link.connection->execute("ROLLBACK");
  EXPECT_EQ(report(queue, {work_id(7), "node", 1, work_end::succeeded}, at(1)),
            work_outcome::done);
}

/// A report tells apart what it has just done from what was done before.
TEST(postgres_work, nothing_follows_a_report_that_is_refused) {
  postgres_store store{shared_postgres().new_database(), testing::patient()};
  auto& queue = *store.work();
  std::vector<std::future<expected<work_accepted>>> accepts;
  std::vector<std::future<work_outcome>> done;
  std::vector<std::future<work_outcome>> refused;
  auto next = [&](uint64_t n, uint64_t follow, std::optional<work_end> end,
                  uint32_t attempt = 1) {
    work_report x{work_id(n), "node", attempt, end};
    x.follow = {{work(follow, {"next"})}};
    return begin_report(queue, x, at(1));
  };
  for (uint64_t n = 0; n < 50; ++n) {
    accepts.push_back(begin_accept(queue, {work(n), "", "", "node"}));
    accepts.push_back(begin_accept(queue, {work(100 + n)}));
    refused.push_back(next(n, 1000 + n, work_end::failed, 2));
    refused.push_back(next(100 + n, 1100 + n, std::nullopt));
    done.push_back(next(n, 1200 + n, std::nullopt));
    refused.push_back(next(n, 1300 + n, work_end::succeeded));
  }
  for (auto& x : accepts)
    EXPECT_TRUE(x.get().value().is_new);
  for (auto& x : refused)
    EXPECT_EQ(x.get(), work_outcome::refused);
  for (auto& x : done)
    EXPECT_EQ(x.get(), work_outcome::done);
  auto listed =
    testing::list_work(queue, {work_state::waiting, "next", {}, {}, 1000})
      .value();
  EXPECT_EQ(listed.size(), 50u);
  for (auto& x : listed)
    EXPECT_EQ(x.id.low / 100, 12u);
}

// -- several nodes -----------------------------------------------------------

TEST(postgres_work, nodes_that_claim_at_once_get_each_piece_once) {
  constexpr uint64_t count = 600;
  auto url = shared_postgres().new_database();
  std::vector<std::unique_ptr<postgres_store>> stores;
  for (int i = 0; i < 3; ++i)
    stores.push_back(std::make_unique<postgres_store>(url, testing::patient()));
  std::vector<std::future<expected<work_accepted>>> all;
  for (uint64_t n = 0; n < count; ++n)
    all.push_back(begin_accept(*stores[n % 3]->work(),
                               {work(n, {n % 2 == 0 ? "add" : "next"})}));
  for (auto& x : all)
    ASSERT_TRUE(x.get());
  std::mutex mutex;
  std::multiset<uint64_t> claimed;
  std::vector<std::thread> nodes;
  for (auto& store : stores)
    nodes.emplace_back([&] {
      for (;;) {
        auto found =
          begin_claim(*store->work(), "node", {{"add", 3}, {"next", 2}}, at(0))
            .get()
            .value();
        std::lock_guard guard{mutex};
        for (auto& x : found)
          claimed.insert(x.item.id.low);
        if (found.empty())
          return;
      }
    });
  for (auto& x : nodes)
    x.join();
  EXPECT_EQ(claimed.size(), count);
  EXPECT_EQ(std::set(claimed.begin(), claimed.end()).size(), count);
}

/// Of two that accept the same key at once, one is new, and both are told so.
TEST(postgres_work, a_key_that_two_nodes_use_at_once_is_one_piece_of_work) {
  auto url = shared_postgres().new_database();
  postgres_store one{url, testing::patient()};
  postgres_store two{url, testing::patient()};
  std::vector<std::future<expected<work_accepted>>> first;
  std::vector<std::future<expected<work_accepted>>> second;
  for (uint64_t n = 0; n < 300; ++n) {
    auto key = std::to_string(n);
    first.push_back(begin_accept(*one.work(), {work(n), key, "print"}));
    second.push_back(begin_accept(*two.work(), {work(1000 + n), key, "print"}));
  }
  for (size_t n = 0; n < 300; ++n) {
    auto a = first[n].get().value();
    auto b = second[n].get().value();
    EXPECT_EQ(a.id, b.id);
    EXPECT_NE(a.is_new, b.is_new);
  }
  EXPECT_EQ(
    testing::list_work(*one.work(), {work_state::waiting, "", {}, {}, 1000})
      ->size(),
    300u);
}

// -- what a claim costs ------------------------------------------------------

/// A session that plans as that of a store does.
postgres_link planning_link(postgres_server& server) {
  return server.connect({"explain", 60s, 40s, 60s, {}, {}}, {});
}

/// How the server goes about a statement.
std::vector<std::string> explain(postgres_connection& db,
                                 const postgres_statement& x,
                                 const std::string& arguments,
                                 const char* how = "") {
  db.execute(std::string{"PREPARE "} + x.name + " AS " + x.text);
  std::vector<std::string> result;
  for (auto& row : db.execute(std::string{"EXPLAIN "} + how + " EXECUTE "
                              + x.name + arguments))
    result.push_back(row.at(0));
  return result;
}

/// How it goes about a claim, with what it came across.
std::string explain_claim(const std::string& url, const std::string& lane,
                          int most) {
  postgres_server server{url, testing::patient()};
  auto link = planning_link(server);
  std::string result;
  for (auto x : postgres_work_moves::statements())
    if (x->name == std::string_view{"work_claim"})
      for (auto& line :
           explain(*link.connection, *x,
                   "(ARRAY['" + lane + "'::bytea], ARRAY["
                     + std::to_string(most) + "], 'node', "
                     + std::to_string(at(0).time_since_epoch().count()) + ")",
                   "(ANALYZE, TIMING OFF)"))
        result += line + '\n';
  return result;
}

/// The most rows that any part of a plan gave at once.
uint64_t rows_max(const std::string& plan) {
  uint64_t result = 0;
  for (auto i = plan.find("(actual rows="); i != plan.npos;
       i = plan.find("(actual rows=", i + 1))
    result = std::max<uint64_t>(result, std::stoull(plan.substr(i + 13)));
  return result;
}

/// The server's own vacuum comes too late: what is under way is a small table all
/// the same.
TEST(postgres_work, what_is_under_way_stays_small) {
  auto url = shared_postgres().new_database();
  postgres_store store{url, testing::patient()};
  shared_postgres().sql("ALTER TABLE troupe.work_claimed SET "
                        "(autovacuum_enabled = false)",
                        testing::database_of(url));
  auto& queue = *store.work();
  constexpr uint64_t at_once = 2'000;
  for (uint64_t n = 0; n < 100'000; n += at_once) {
    std::vector<std::future<work_outcome>> reports;
    for (auto i = n; i < n + at_once; ++i) {
      begin_accept(queue, {work(i), "", "", "node"});
      reports.push_back(begin_report(
        queue, {work_id(i), "node", 1, work_end::succeeded}, at(1)));
    }
    for (auto& x : reports)
      ASSERT_EQ(x.get(), work_outcome::done);
  }
  auto bytes = std::stoull(ask(
    shared_postgres(), url, "SELECT pg_relation_size('troupe.work_claimed')"));
  EXPECT_LT(bytes, 10u << 20) << "100,000 rows are about 20 MB";
}

std::string nulls_for(const std::string& statement) {
  auto count = 0;
  while (statement.find('$' + std::to_string(count + 1)) != statement.npos)
    ++count;
  std::string result;
  for (int i = 0; i < count; ++i)
    result += i == 0 ? "(NULL" : ", NULL";
  return count == 0 ? result : result + ')';
}

/// Where a plan goes through a table, or looks for ids elsewhere than in the index
/// of ids. What is under way is little, and may be gone through where `may_scan`
/// says so.
std::vector<std::string> detours(const std::vector<std::string>& plan,
                                 bool may_scan) {
  std::vector<std::string> result;
  auto has = [](const std::string& line, const char* text) {
    return line.find(text) != line.npos;
  };
  for (size_t i = 0; i < plan.size(); ++i) {
    if (!has(plan[i], "Scan") || !has(plan[i], " on work_")
        || (may_scan && has(plan[i], "on work_claimed")))
      continue;
    auto next = i + 1 < plan.size() ? plan[i + 1] : "";
    if (!has(next, "Index Cond:")
        || (has(next, "(id ") && !has(plan[i], "_pkey")))
      result.push_back(plan[i]);
  }
  return result;
}

void expect_no_detours(const std::string& url) {
  postgres_server server{url, testing::patient()};
  auto link = planning_link(server);
  auto statements = postgres_work_moves::statements();
  for (auto x : postgres_work_queries::statements())
    statements.push_back(x);
  for (auto x : postgres_commit_work::statements()) // accepts in full are one
    statements.push_back(x);
  for (auto x : {&postgres_work_accepts::plain, &postgres_work_reports::plain,
                 &postgres_work_reports::full})
    statements.push_back(x);
  for (auto x : statements) {
    std::string name = x->name;
    if (name == "work_count" || name == "work_lanes")
      continue; // it goes through all, or from lane to lane
    auto may_scan = name == "work_give_back" || name == "work_claimants"
                    || name.starts_with("work_list_claimed");
    auto plan = explain(*link.connection, *x, nulls_for(x->text));
    std::string all;
    for (auto& line : plan)
      all += line + '\n';
    EXPECT_EQ(detours(plan, may_scan), std::vector<std::string>{}) << all;
    EXPECT_THAT(all, HasSubstr(" on work_"));
  }
}

/// Plans are made when there are few rows, and kept when there are many.
TEST(postgres_work, every_statement_looks_for_its_rows_by_index) {
  auto url = shared_postgres().new_database();
  auto database = testing::database_of(url);
  postgres_store store{url, testing::patient()};
  expect_no_detours(url);
  auto& queue = *store.work();
  for (uint64_t n = 1; n <= 4; ++n)
    accept(queue, {work(n), std::to_string(n), "", n == 1 ? "" : "node"})
      .value();
  report(queue, {work_id(3), "node", 1, work_end::succeeded}, at(1));
  report(queue, {work_id(4), "node", 1, work_end::dead}, at(1));
  shared_postgres().sql("VACUUM ANALYZE", database);
  expect_no_detours(url);
  shared_postgres().sql("TRUNCATE troupe.work_waiting, troupe.work_claimed, "
                        "troupe.work_done, troupe.work_dead, "
                        "troupe.work_body, troupe.work_key",
                        database);
  shared_postgres().sql("VACUUM ANALYZE", database);
  expect_no_detours(url);
}

/// Statistics are those of empty tables, as they are when plans are made.
TEST(postgres_work, a_claim_looks_at_nothing_but_what_it_takes) {
  auto url = shared_postgres().new_database();
  postgres_store store{url, testing::patient()};
  auto fill = [&](int from, int priority, int due, const char* lane) {
    shared_postgres().sql(
      "INSERT INTO troupe.work_waiting SELECT 0, "
        + std::to_string(at(due).time_since_epoch().count())
        + ", 9999999999999, 0, 3, " + std::to_string(priority)
        + ", lpad(to_hex(n), 32, '0')::uuid, '" + lane
        + "', '', '', NULL, '0:0:0:0:', '', '', '' FROM generate_series("
        + std::to_string(from) + ", " + std::to_string(from + 19'999) + ") n",
      testing::database_of(url));
  };
  fill(0, 9, 10, "add");      // not due yet, and urgent
  fill(20'000, 4, 0, "add");  // due
  fill(40'000, 4, 0, "next"); // another lane
  auto plan = explain_claim(url, "add", 5);
  EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on work_")));
  EXPECT_THAT(plan, HasSubstr("Index Scan using work_next"));
  EXPECT_LE(rows_max(plan), 10u) << plan;
}

} // namespace
} // namespace troupe
