// Who has a folder, and how the last one left it.

#include <filesystem>
#include <fstream>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/store/node_presence.hpp"
#include "nodes/store/sqlite_schema.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

class node_presence_test : public ::testing::Test {
protected:
  std::vector<node_record> nodes() {
    return node_presence::read(folder.path());
  }

  std::filesystem::path file() const { return folder.path() / "cluster.db"; }

  testing::temporary_folder folder;
};

TEST_F(node_presence_test, a_folder_that_no_node_had_has_none) {
  EXPECT_TRUE(nodes().empty());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(node_presence_test, an_open_store_is_there_and_a_closed_one_is_not) {
  {
    sqlite_store store{folder.path()};
    ASSERT_EQ(nodes().size(), 1u);
    EXPECT_EQ(nodes()[0].pid, getpid());
    EXPECT_EQ(nodes()[0].incarnation.size(), 32u);
    EXPECT_FALSE(nodes()[0].version.empty());
    EXPECT_GT(nodes()[0].started_at_ms, 1'577'836'800'000); // 2020
  }
  EXPECT_TRUE(std::filesystem::exists(file()));
  EXPECT_TRUE(nodes().empty());
}

TEST_F(node_presence_test, a_store_that_shares_its_folder_does_not_show) {
  sqlite_options options;
  options.use = folder_use::shared;
  sqlite_store store{folder.path(), options};
  EXPECT_TRUE(nodes().empty());
}

TEST_F(node_presence_test, one_that_was_killed_is_there_until_the_next_start) {
  auto child = fork();
  if (child == 0) {
    sqlite_store store{folder.path()};
    _exit(0); // no destructor
  }
  waitpid(child, nullptr, 0);
  ASSERT_EQ(nodes().size(), 1u);
  EXPECT_EQ(nodes()[0].pid, child);
  auto dead = nodes()[0].incarnation;
  {
    sqlite_store store{folder.path()};
    ASSERT_EQ(nodes().size(), 1u);
    EXPECT_NE(nodes()[0].incarnation, dead);
  }
  EXPECT_TRUE(nodes().empty());
}

TEST_F(node_presence_test, a_file_of_something_else_stops_the_start) {
  std::ofstream{file()} << std::string(8192, 'x');
  EXPECT_THROW(sqlite_store{folder.path()}, error_exception);
}

TEST_F(node_presence_test, a_file_of_a_newer_version_is_left_alone) {
  { sqlite_store store{folder.path()}; }
  SQLite::Database{file().string(), SQLite::OPEN_READWRITE}.exec(
    "PRAGMA user_version=1000");
  EXPECT_THROW(sqlite_store{folder.path()}, error_exception);
  EXPECT_THROW(nodes(), error_exception);
}

} // namespace
} // namespace troupe
