// The write-ahead log is copied into the file beside the commits, and does not
// grow for ever under a load that never pauses.

#include <algorithm>
#include <deque>
#include <filesystem>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using testing::change;

class sqlite_log_test : public ::testing::Test {
protected:
  sqlite_log_test() {
    options.requests_per_commit = 4;
    options.checkpoint_pages = 20;
    options.log_pages_max = 100;
  }

  uintmax_t log_bytes() const {
    return std::filesystem::file_size(folder.path() / "data.db-wal");
  }

  uintmax_t file_bytes() const {
    return std::filesystem::file_size(folder.path() / "data.db");
  }

  /// Commits to `keys` keys, with eight under way at any moment. The greatest
  /// size that the log had.
  uintmax_t load(state_store& store, int commits, int keys) {
    for (int i = 0; i < keys; ++i)
      testing::claim(store, key(i), testing::our_token).value();
    uintmax_t result = 0;
    std::deque<std::future<commit_outcome>> under_way;
    for (int i = 0; i < commits || !under_way.empty(); ++i) {
      if (i < commits)
        under_way.push_back(
          testing::begin_commit(store, change(key(i % keys), base_ + i / keys,
                                              std::string(1000, 'x'))));
      if (under_way.size() < 8 && i < commits)
        continue;
      EXPECT_EQ(under_way.front().get(), commit_outcome::done);
      under_way.pop_front();
      result = std::max(result, log_bytes());
    }
    base_ += static_cast<uint64_t>(commits / keys);
    return result;
  }

  static entity_id key(int i) { return {"s", std::to_string(i)}; }

  static constexpr uintmax_t page_bytes = 4096 + 24;

  testing::temporary_folder folder;
  sqlite_options options;

private:
  uint64_t base_ = 0;
};

TEST_F(sqlite_log_test, stays_near_its_limit_under_a_load_without_a_pause) {
  sqlite_store store{folder.path(), options};
  // The last group before the limit goes past it.
  EXPECT_LT(load(store, 4000, 40), 2 * 100 * page_bytes);
}

TEST_F(sqlite_log_test, grows_while_it_is_read_and_shrinks_afterwards) {
  sqlite_store store{folder.path(), options};
  load(store, 40, 40);
  {
    SQLite::Database other{(folder.path() / "data.db").string()};
    other.exec("BEGIN");
    other.execAndGet("SELECT count(*) FROM entity");
    EXPECT_GT(load(store, 2000, 40), 3 * 100 * page_bytes);
  }
  load(store, 2000, 40);
  EXPECT_LE(log_bytes(), 2 * 100 * page_bytes);
}

TEST_F(sqlite_log_test, reaches_the_file_before_the_limit) {
  options.log_pages_max = 1'000'000;
  sqlite_store store{folder.path(), options};
  auto before = file_bytes();
  // The thread takes its time: commit until it has been there.
  for (int i = 0; file_bytes() == before; i = (i + 1) % 50)
    ASSERT_EQ(testing::put(store, key(i), std::string(3000, 'x')),
              commit_outcome::done);
}

TEST_F(sqlite_log_test, is_all_in_the_file_when_the_store_was_closed) {
  {
    sqlite_store store{folder.path(), options};
    load(store, 100, 10);
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "data.db-wal"));
  sqlite_store store{folder.path()};
  EXPECT_EQ(testing::load(store, key(9)).value().revision, 10u);
}

} // namespace
} // namespace troupe
