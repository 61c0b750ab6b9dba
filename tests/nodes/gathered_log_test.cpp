// What SQLite writes to its log piece by piece reaches the file in one, and
// nothing but the number of writes is different for that: also when a write
// fails. A connection that is alone may write early what it has no room for, as
// some here do; those of a store do not.

#include <algorithm>
#include <climits>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "actors/core/errors.hpp"
#include "nodes/store/gathered_log.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/watched_vfs.hpp"

namespace troupe {
namespace {

using testing::file_operation;
using kind = file_operation::kind;

const auto open_flags = SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;

/// A row is a little less than a page.
std::string text_of(int version) {
  return std::string(3000, static_cast<char>('a' + version % 26));
}

class table {
public:
  table(const std::filesystem::path& folder, const std::string& vfs)
    : db_((folder / "data.db").string(), open_flags, 0, vfs) {
    db_.exec("PRAGMA journal_mode=WAL");
    db_.exec("PRAGMA synchronous=FULL");
    db_.exec("PRAGMA wal_autocheckpoint=0");
    db_.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, x TEXT)");
  }

  SQLite::Database& db() noexcept { return db_; }

  void put(int id, int version) {
    SQLite::Statement x{db_, "INSERT OR REPLACE INTO t VALUES (?, ?)"};
    x.bind(1, id);
    x.bind(2, text_of(version));
    x.exec();
  }

  std::map<int, std::string> rows() {
    std::map<int, std::string> result;
    SQLite::Statement x{db_, "SELECT id, x FROM t"};
    while (x.executeStep())
      result.emplace(x.getColumn(0).getInt(), x.getColumn(1).getString());
    return result;
  }

  std::string check() {
    return db_.execAndGet("PRAGMA integrity_check").getString();
  }

private:
  SQLite::Database db_;
};

/// What is done to the log, in order: a letter each.
class log_recorder {
public:
  const std::string& vfs() const { return vfs_.name(); }

  std::string take() {
    std::lock_guard guard{mutex_};
    return std::exchange(seen_, {});
  }

private:
  testing::operation_fate record(const file_operation& x) {
    std::lock_guard guard{mutex_};
    if (x.file.ends_with("-wal"))
      seen_ += "rwtsd"[static_cast<int>(x.what)];
    return {};
  }

  std::mutex mutex_;
  std::string seen_;
  testing::watched_vfs vfs_{
    [this](const file_operation& x) { return record(x); }};
};

/// What a commit of so many rows does to the log.
std::string seen_of_commit(int rows) {
  testing::temporary_folder folder;
  log_recorder disk;
  gathered_log log{disk.vfs()};
  table t{folder.path(), log.vfs()};
  t.db().exec("BEGIN");
  for (int id = 0; id < rows; ++id)
    t.put(id, 1);
  disk.take();
  t.db().exec("COMMIT");
  auto result = disk.take();
  EXPECT_EQ(t.check(), "ok");
  return result;
}

TEST(gathered_log_test, a_commit_is_one_write_and_one_sync) {
  EXPECT_EQ(seen_of_commit(8), "ws");
}

TEST(gathered_log_test, a_long_commit_is_written_in_pieces_that_sqlite_takes) {
  auto seen = seen_of_commit(100);
  auto writes = std::count(seen.begin(), seen.end(), 'w');
  EXPECT_GE(writes, 100 * 4096 / (1 << 17));
  EXPECT_LE(writes, 10);
  EXPECT_TRUE(seen.ends_with("ws")) << seen;
}

TEST(gathered_log_test, what_is_committed_is_there_for_other_connections) {
  testing::temporary_folder folder;
  gathered_log log{""};
  table t{folder.path(), log.vfs()};
  table other{folder.path(), log.vfs()};
  table below{folder.path(), ""};
  for (int version = 0; version < 5; ++version) {
    t.put(1, version);
    EXPECT_EQ(other.rows()[1], text_of(version));
    EXPECT_EQ(below.rows()[1], text_of(version));
  }
}

TEST(gathered_log_test, a_log_that_begins_anew_is_synced_before_its_frames) {
  testing::temporary_folder folder;
  log_recorder disk;
  gathered_log log{disk.vfs()};
  table t{folder.path(), log.vfs()};
  t.put(1, 1);
  t.db().exec("PRAGMA wal_checkpoint");
  disk.take();
  t.put(1, 2);
  EXPECT_EQ(disk.take(), "wsws");
}

TEST(gathered_log_test, a_transaction_reads_what_it_had_no_room_for) {
  testing::temporary_folder folder;
  gathered_log log{""};
  {
    table t{folder.path(), log.vfs()};
    t.db().exec("PRAGMA cache_size=10");
    t.db().exec("BEGIN");
    for (int round = 0; round < 3; ++round)
      for (int id = 0; id < 100; ++id)
        t.put(id, id + round);
    auto rows = t.rows();
    for (int id = 0; id < 100; ++id)
      EXPECT_EQ(rows[id], text_of(id + 2)) << id;
    t.db().exec("COMMIT");
    EXPECT_EQ(t.check(), "ok");
  }
  table t{folder.path(), ""};
  EXPECT_EQ(t.check(), "ok");
  EXPECT_EQ(t.rows().size(), 100u);
}

TEST(gathered_log_test, a_vfs_that_is_not_there_is_refused) {
  EXPECT_THROW(gathered_log{"no such vfs"}, error_exception);
}

// -- in a store ----------------------------------------------------------------

TEST(gathered_log_test,
     a_connection_of_a_store_writes_nothing_before_a_commit) {
  testing::temporary_folder folder;
  log_recorder disk;
  gathered_log log{disk.vfs()};
  sqlite_options options;
  options.vfs = log.vfs();
  auto db = open_connection(folder.path() / "data.db", options);
  db.exec("PRAGMA journal_mode=WAL");
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)");
  db.exec("PRAGMA cache_size=10");
  disk.take();
  db.exec("BEGIN");
  for (int id = 0; id < 200; ++id)
    db.exec("INSERT INTO t VALUES (" + std::to_string(id) + ", '" + text_of(id)
            + "')");
  db.exec("ROLLBACK");
  EXPECT_EQ(disk.take().find('w'), std::string::npos);
}

std::string long_state(size_t bytes, char x) {
  return '"' + std::string(bytes, x) + '"';
}

/// Of one of two stores on one folder something large fails, with the log begun
/// anew before; the other one commits; then the first goes on.
TEST(gathered_log_test, what_fails_is_not_written_over_what_others_commit) {
  testing::temporary_folder folder;
  testing::temporary_folder crashed;
  sqlite_options options;
  options.use = folder_use::shared;
  auto with_little_room = options;
  with_little_room.pages_max = 1300;
  sqlite_store ours{folder.path(), with_little_room};
  sqlite_store other{folder.path(), options};
  auto put = [](sqlite_store& store, const std::string& key,
                const std::string& state) {
    return testing::put(store, {"cart", key}, state);
  };
  for (int i = 0; i < 400; ++i)
    ASSERT_EQ(put(other, "old" + std::to_string(i), long_state(3500, 'o')),
              commit_outcome::done);
  SQLite::Database shell{(folder.path() / "data.db").string(),
                         SQLite::OPEN_READWRITE, 5000};
  shell.execAndGet("PRAGMA wal_checkpoint(PASSIVE)");
  EXPECT_EQ(put(ours, "too long", long_state(6'000'000, 'a')),
            commit_outcome::failed);
  auto state = long_state(5'000'000, 'b');
  EXPECT_EQ(put(other, "long", state), commit_outcome::done);
  EXPECT_EQ(put(ours, "short", "1"), commit_outcome::done);
  EXPECT_EQ(testing::load(other, {"cart", "long"}).value().state, state);
  EXPECT_EQ(shell.execAndGet("PRAGMA integrity_check").getString(), "ok");
  testing::copy_store(folder.path(), crashed.path());
  SQLite::Database after{(crashed.path() / "data.db").string(),
                         SQLite::OPEN_READWRITE};
  EXPECT_EQ(after.execAndGet("PRAGMA integrity_check").getString(), "ok");
  EXPECT_EQ(
    after.execAndGet("SELECT count(*) FROM entity WHERE revision > 0").getInt(),
    402);
}

// -- faults --------------------------------------------------------------------

class gathered_log_fault_test
  : public ::testing::TestWithParam<testing::fault> {};

using versions = std::map<int, char>;

versions versions_in(SQLite::Database& db) {
  versions result;
  SQLite::Statement x{db, "SELECT id, substr(x, 1, 1) FROM t"};
  while (x.executeStep())
    result.emplace(x.getColumn(0).getInt(), *x.getColumn(1).getText());
  return result;
}

bool is_within_transaction(SQLite::Database& db) {
  return !sqlite3_get_autocommit(db.getHandle());
}

/// False if it fails.
template <class F>
bool works(testing::faulty_disk& disk, F f) {
  try {
    f();
    return true;
  } catch (const SQLite::Exception&) {
    disk.repair();
    return false;
  }
}

/// Reads and writes random rows, also on after one that failed. The rows as they
/// are then; nothing if it was rolled back.
template <class Below>
std::optional<versions> transaction(SQLite::Database& db,
                                    testing::faulty_disk& disk, versions rows,
                                    Below& below) {
  db.exec("BEGIN IMMEDIATE");
  for (auto left = 1 + below(20); left > 0 && is_within_transaction(db);
       --left) {
    auto id = below(30);
    auto text = text_of(below(26));
    auto is_done = works(disk, [&] {
      SQLite::Statement read{db, "SELECT x FROM t WHERE id = ?"};
      read.bind(1, below(30));
      read.executeStep();
      SQLite::Statement write{db, "INSERT OR REPLACE INTO t VALUES (?, ?)"};
      write.bind(1, id);
      write.bind(2, text);
      write.exec();
    });
    if (is_done)
      rows[id] = text.front();
  }
  if (is_within_transaction(db) && works(disk, [&] { db.exec("COMMIT"); }))
    return rows;
  if (is_within_transaction(db))
    db.exec("ROLLBACK");
  return std::nullopt;
}

/// Transactions of random rows, with little memory, of which one fails as the
/// disk fails with the n-th operation. What was committed is there, and nothing
/// of the others, on and on and after a crash.
void run_with_fault(const testing::fault& what, int n, bool& was_met) {
  SCOPED_TRACE("operation " + std::to_string(n));
  std::mt19937 random{static_cast<unsigned>(n)};
  auto below = [&](size_t bound) { return static_cast<int>(random() % bound); };
  testing::temporary_folder folder;
  testing::temporary_folder crashed;
  versions rows;
  testing::faulty_disk whole{what, INT_MAX};
  table first{folder.path(), whole.vfs()};
  testing::faulty_disk disk{what, n};
  gathered_log log{disk.vfs()};
  {
    SQLite::Database db{(folder.path() / "data.db").string(), open_flags, 0,
                        log.vfs()};
    db.exec("PRAGMA synchronous=FULL");
    db.exec("PRAGMA wal_autocheckpoint=0");
    db.exec("PRAGMA cache_size=5");
    for (int i = 0; i < 8; ++i) {
      if (auto next = transaction(db, disk, rows, below))
        rows = std::move(*next);
      ASSERT_EQ(versions_in(db), rows) << "after transaction " << i;
    }
    testing::copy_store(folder.path(), crashed.path());
  }
  was_met = disk.was_met();
  table t{crashed.path(), ""};
  EXPECT_EQ(t.check(), "ok");
  EXPECT_EQ(versions_in(t.db()), rows);
}

TEST_P(gathered_log_fault_test, a_transaction_that_fails_leaves_nothing) {
  int n = 1;
  for (auto was_met = true; was_met && !HasFailure(); ++n)
    run_with_fault(GetParam(), n, was_met);
  EXPECT_GT(n, 10);
}

// What fails, and is done all the same, the store sees to: see its `fence`.
INSTANTIATE_TEST_SUITE_P(each, gathered_log_fault_test,
                         ::testing::Values(testing::faults[0],
                                           testing::faults[1],
                                           testing::faults[2],
                                           testing::faults[3]),
                         [](auto& info) { return info.param.name; });

} // namespace
} // namespace troupe
