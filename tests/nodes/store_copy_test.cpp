// Checking a store, backing it up beside a running one, and restoring it.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/store/sqlite_schema.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "nodes/store/store_copy.hpp"
#include "nodes/store/store_url.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using testing::change;
using testing::commit;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::our_token;
using testing::put;

class store_copy_test : public ::testing::Test {
protected:
  /// Two carts and a counter, one cart deleted, one claimed; an outcome and two
  /// pieces of work.
  void fill(state_store& store) {
    put(store, {"cart", "ann"}, "{\"a\":1}");
    put(store, {"cart", "bob"}, "[]");
    put(store, {"cart", "cid"}, "3");
    commit(store, change({"cart", "cid"}, 1, ""));
    testing::claim(store, {"cart", "dan"}, our_token).value();
    testing::claim(store, {"counter", "x"}, our_token).value();
    auto request = change({"counter", "x"}, 0, "1");
    request.outcomes = {{"id", "", 1, false, "", ""}};
    request.work = {testing::note({1, 1}, "x", "a"),
                    testing::note({1, 2}, "x", "b")};
    ASSERT_EQ(commit(store, request), commit_outcome::done);
  }

  void fill() {
    sqlite_store store{data};
    fill(store);
  }

  void execute(const std::filesystem::path& folder, const char* sql) {
    SQLite::Database{(folder / "data.db").string(), SQLite::OPEN_READWRITE}
      .exec(sql);
  }

  std::vector<std::string> names(const std::filesystem::path& folder) {
    std::vector<std::string> result;
    for (auto& x : std::filesystem::directory_iterator{folder})
      result.push_back(x.path().filename());
    return result;
  }

  static std::string why(const error& x, errc code = errc::store_unavailable) {
    EXPECT_EQ(x.code(), code) << x.message();
    return x.message();
  }

  testing::temporary_folder folder;
  const std::filesystem::path data = folder.path() / "data";
  const std::filesystem::path backup = folder.path() / "backup";
};

// -- check -------------------------------------------------------------------

TEST_F(store_copy_test, a_check_counts_what_is_there) {
  fill();
  auto report = check_store(data).value();
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(report.data_schema, data_schema().version());
  EXPECT_EQ(report.cluster_schema, cluster_schema().version());
  EXPECT_EQ(report.entities,
            (std::map<std::string, uint64_t>{{"cart", 2}, {"counter", 1}}));
  EXPECT_EQ(report.deleted, 1u);
  EXPECT_EQ(report.uncommitted, 1u);
  EXPECT_EQ(report.outcomes, 1u);
  EXPECT_EQ(report.queued, 2u);
  EXPECT_EQ(report.dead, 0u);
  EXPECT_TRUE(report.nodes.empty());
  EXPECT_FALSE(report.is_in_use);
}

TEST_F(store_copy_test, a_check_may_run_beside_an_open_store) {
  sqlite_store store{data};
  fill(store);
  auto report = check_store(data).value();
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(report.entities.size(), 2u);
  EXPECT_EQ(report.nodes.size(), 1u);
  EXPECT_TRUE(report.is_in_use);
  EXPECT_EQ(put(store, {"cart", "eve"}, "1"), commit_outcome::done);
}

TEST_F(store_copy_test, a_check_finds_a_state_that_is_no_json) {
  fill();
  execute(data, "UPDATE entity SET state = '{\"a\":' WHERE key = 'ann'");
  EXPECT_THAT(check_store(data).value().problems,
              ElementsAre("the state of cart/ann is no JSON"));
}

TEST_F(store_copy_test, a_check_finds_a_damaged_page) {
  {
    sqlite_store store{data};
    for (int i = 0; i < 200; ++i)
      put(store, {"cart", std::to_string(i)}, std::string(500, '1'));
  }
  std::fstream file{data / "data.db",
                    std::ios::in | std::ios::out | std::ios::binary};
  file.seekp(-4096 * 3, std::ios::end);
  file << std::string(4096, '\xFF');
  file.close();
  EXPECT_FALSE(check_store(data).value().problems.empty());
}

TEST_F(store_copy_test, a_check_of_no_store_says_so_and_makes_none) {
  EXPECT_THAT(why(check_store(data).error(), errc::not_found),
              HasSubstr("no store"));
  EXPECT_FALSE(std::filesystem::exists(data));
}

TEST_F(store_copy_test, a_check_of_a_newer_store_says_so) {
  fill();
  execute(data, "PRAGMA user_version=1000");
  EXPECT_THAT(why(check_store(data).error()), HasSubstr("newer Troupe"));
}

// -- backup ------------------------------------------------------------------

TEST_F(store_copy_test, a_backup_can_be_restored) {
  fill();
  EXPECT_EQ(backup_store(data, backup).value().entities.at("cart"), 2u);
  EXPECT_THAT(names(backup), ElementsAre("data.db"));
  auto other = folder.path() / "other";
  auto restored = restore_store(backup, other, false).value();
  EXPECT_EQ(restored.replaced, std::nullopt);
  sqlite_store store{other};
  EXPECT_EQ(testing::load(store, {"cart", "ann"}).value(),
            (stored_state{1, "{\"a\":1}", 1}));
  EXPECT_EQ(testing::load(store, {"cart", "cid"}).value().revision, 2u);
  EXPECT_TRUE(testing::find_outcome(store, {"counter", "x"}, "id").value());
  EXPECT_EQ(testing::notes(store).size(), 2u);
}

TEST_F(store_copy_test, a_backup_beside_a_busy_store_is_of_one_moment) {
  sqlite_store store{data};
  constexpr uint64_t keys = 20;
  for (uint64_t i = 0; i < keys; ++i)
    testing::claim(store, {"s", std::to_string(i)}, our_token).value();
  // All keys rise one after the other, so that at any moment the revisions of
  // two differ by 1 at most.
  std::atomic<uint64_t> rounds{0};
  std::atomic<bool> is_over{false};
  std::thread writer{[&] {
    for (; !is_over; ++rounds)
      for (uint64_t i = 0; i < keys; ++i)
        EXPECT_EQ(commit(store, change({"s", std::to_string(i)}, rounds,
                                       '"' + std::string(2000, 'x') + '"')),
                  commit_outcome::done);
  }};
  while (rounds < 3)
    std::this_thread::yield();
  for (int n = 0; n < 5; ++n) {
    auto before = rounds.load();
    auto place = folder.path() / ("backup" + std::to_string(n));
    EXPECT_TRUE(backup_store(data, place));
    sqlite_store copy{place};
    auto first = testing::load(copy, {"s", "0"}).value().revision;
    auto last =
      testing::load(copy, {"s", std::to_string(keys - 1)}).value().revision;
    EXPECT_GE(last, before);
    EXPECT_LE(first - last, 1u);
  }
  is_over = true;
  writer.join();
}

TEST_F(store_copy_test, a_backup_overwrites_nothing) {
  fill();
  std::filesystem::create_directory(backup);
  EXPECT_THAT(why(backup_store(data, backup).error(), errc::bad_request),
              HasSubstr("is there already"));
  EXPECT_TRUE(std::filesystem::is_empty(backup));
}

TEST_F(store_copy_test, a_backup_of_a_damaged_store_fails_and_leaves_nothing) {
  fill();
  execute(data, "UPDATE entity SET state = '{' WHERE key = 'ann'");
  EXPECT_THAT(why(backup_store(data, backup).error()), HasSubstr("damaged"));
  EXPECT_THAT(names(folder.path()), ElementsAre("data"));
}

TEST_F(store_copy_test, a_backup_of_no_store_fails_and_leaves_nothing) {
  EXPECT_THAT(why(backup_store(data, backup).error(), errc::not_found),
              HasSubstr("no store"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(store_copy_test, a_backup_into_no_folder_says_so) {
  fill();
  EXPECT_THAT(why(backup_store(data, folder.path() / "no" / "such").error(),
                  errc::not_found),
              HasSubstr("is no folder"));
  EXPECT_THAT(names(folder.path()), ElementsAre("data"));
}

TEST_F(store_copy_test, a_check_tells_a_copy_from_a_folder_of_a_node) {
  sqlite_store store{data};
  fill(store);
  backup_store(data, backup).value();
  EXPECT_FALSE(check_store(data).value().is_unused());
  auto copy = check_store(backup).value();
  EXPECT_TRUE(copy.is_unused());
  EXPECT_FALSE(copy.is_in_use);
}

TEST_F(store_copy_test, a_check_sees_the_nodes_of_a_cluster) {
  {
    auto both = open_shared_store("sqlite:" + data.string()).value();
    lease_row self;
    self.node = "a";
    self.incarnation = "a1";
    self.state = node_state::up;
    auto renewed = testing::begin<expected<lease_view>>(
      [&](auto done) { both.leases->renew(self, std::move(done)); });
    ASSERT_TRUE(renewed.get());
    auto report = check_store(data).value();
    EXPECT_TRUE(report.nodes.empty());
    EXPECT_EQ(report.members, 1u);
    EXPECT_TRUE(report.is_in_use);
  }
  auto report = check_store(data).value();
  EXPECT_EQ(report.members, 1u) << "it did not leave";
  EXPECT_FALSE(report.is_in_use);
}

// -- restore -----------------------------------------------------------------

TEST_F(store_copy_test, a_restore_overwrites_nothing_unless_told) {
  fill();
  backup_store(data, backup).value();
  {
    sqlite_store store{data};
    put(store, {"cart", "ann"}, "\"later\"");
  }
  EXPECT_THAT(
    why(restore_store(backup, data, false).error(), errc::bad_request),
    HasSubstr("--force"));
  {
    sqlite_store store{data};
    EXPECT_EQ(testing::load(store, {"cart", "ann"}).value().state, "\"later\"");
  }
  auto restored = restore_store(backup, data, true).value();
  ASSERT_TRUE(restored.replaced);
  sqlite_store store{data};
  EXPECT_EQ(testing::load(store, {"cart", "ann"}).value().revision, 1u);
  sqlite_store before{*restored.replaced};
  EXPECT_EQ(testing::load(before, {"cart", "ann"}).value().state, "\"later\"");
}

TEST_F(store_copy_test, a_restore_is_refused_while_a_node_has_the_folder) {
  fill();
  backup_store(data, backup).value();
  sqlite_store store{data};
  EXPECT_THAT(why(restore_store(backup, data, true).error()),
              HasSubstr("in use"));
  EXPECT_EQ(put(store, {"cart", "eve"}, "1"), commit_outcome::done);
}

TEST_F(store_copy_test, a_restore_of_a_damaged_backup_changes_nothing) {
  fill();
  backup_store(data, backup).value();
  execute(backup, "UPDATE entity SET state = '{' WHERE key = 'ann'");
  EXPECT_THAT(why(restore_store(backup, data, true).error()),
              HasSubstr("damaged"));
  EXPECT_TRUE(check_store(data).value().problems.empty());
}

TEST_F(store_copy_test, a_restore_of_what_is_no_backup_says_so) {
  EXPECT_THAT(why(restore_store(backup, data, false).error(), errc::not_found),
              HasSubstr("no store"));
  EXPECT_FALSE(std::filesystem::exists(data));
}

} // namespace
} // namespace troupe
