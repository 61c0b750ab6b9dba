// A disk that is full, or broken for a while. Goal: whatever fails and whenever,
// each operation gets an answer that is true: what was `done` is there after a
// restart, what was `refused` or `failed` is not, not even after a kill, and the
// store works again as soon as the disk does.
//
// How: a VFS of SQLite lets the n-th read, write, truncation, sync or removal
// fail, once or until the fault is taken away, with and without having done it.
// The same small load runs for n = 1, 2, 3, ... until it ends without meeting
// the fault.

#include <atomic>
#include <filesystem>
#include <map>
#include <optional>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/watched_vfs.hpp"

namespace troupe {
namespace {

using testing::file_operation;
using testing::our_token;
using kind = file_operation::kind;

/// What fails.
struct fault {
  const char* name;
  kind what;
  int code;

  /// Until it is taken away; else once.
  bool stays;

  /// The disk did it, and only said that it did not.
  bool is_done_all_the_same;
};

constexpr fault faults[] = {
  {"full_disk", kind::write, SQLITE_FULL, true, false},
  {"full_once", kind::write, SQLITE_FULL, false, false},
  {"write_error", kind::write, SQLITE_IOERR_WRITE, true, false},
  {"write_error_once", kind::write, SQLITE_IOERR_WRITE, false, false},
  {"write_lies", kind::write, SQLITE_IOERR_WRITE, true, true},
  {"write_lies_once", kind::write, SQLITE_IOERR_WRITE, false, true},
  {"sync_error", kind::sync, SQLITE_IOERR_FSYNC, true, false},
  {"sync_error_once", kind::sync, SQLITE_IOERR_FSYNC, false, false},
  {"sync_lies_once", kind::sync, SQLITE_IOERR_FSYNC, false, true},
  {"truncate_error", kind::truncate, SQLITE_IOERR_TRUNCATE, true, false},
  {"read_error", kind::read, SQLITE_IOERR_READ, true, false},
  {"read_error_once", kind::read, SQLITE_IOERR_READ, false, false},
  {"remove_error", kind::remove, SQLITE_IOERR_DELETE, true, false},
};

/// A disk on which the n-th operation of a kind fails.
class faulty_disk {
public:
  faulty_disk(const fault& what, int n) : fault_(what), left_(n) {}

  const std::string& vfs() const { return vfs_.name(); }

  void repair() { is_repaired_ = true; }

  /// Whether there was an n-th operation.
  bool was_met() const { return left_ <= 0; }

private:
  testing::operation_fate watch(const file_operation& x) {
    if (is_repaired_ || x.what != fault_.what)
      return {};
    auto left = --left_;
    if (left == 0 || (left < 0 && fault_.stays))
      return {fault_.code, fault_.is_done_all_the_same};
    return {};
  }

  const fault& fault_;
  std::atomic<int> left_;
  std::atomic<bool> is_repaired_{false};
  testing::watched_vfs vfs_{
    [this](const file_operation& x) { return watch(x); }};
};

/// What must be there of one entity.
struct expectation {
  /// The last state that was acknowledged.
  stored_state certain;

  /// One after it, of which nobody knows.
  std::optional<stored_state> possible;
};

class sqlite_faults_test : public ::testing::TestWithParam<fault> {
protected:
  /// The load with a fault at the n-th operation. False if it was not met.
  bool run(int n) {
    expected_.clear();
    testing::temporary_folder folder;
    faulty_disk disk{GetParam(), n};
    {
      auto store = open(folder.path(), disk.vfs());
      if (store)
        load(*store);
      expect_after_a_kill(folder.path());
      disk.repair();
      if (!store)
        store = open(folder.path(), disk.vfs());
      EXPECT_TRUE(store);
      if (store)
        expect_it_works(*store);
    }
    sqlite_store store{folder.path(), shared()};
    expect_what_was_told(store);
    return disk.was_met();
  }

private:
  static sqlite_options shared() {
    sqlite_options result;
    result.use = folder_use::shared; // cluster.db is no part of this
    return result;
  }

  std::unique_ptr<sqlite_store> open(const std::filesystem::path& folder,
                                     const std::string& vfs) {
    auto options = shared();
    options.vfs = vfs;
    options.checkpoint_pages = 8;
    options.log_pages_max = 20;
    try {
      return std::make_unique<sqlite_store>(folder, options);
    } catch (const error_exception& e) {
      EXPECT_EQ(e.reason().code(), errc::store_unavailable);
      return nullptr;
    }
  }

  void load(state_store& store) {
    for (int round = 0; round < 6; ++round)
      for (std::string key : {"a", "b", "c"})
        change(store, {"s", key}, std::string(round == 3 ? 9000 : 100, 'x'));
    store.release({"s", "d"}, our_token);
    auto listed = testing::list(store, {"s", "", "", 10, true});
    EXPECT_TRUE(listed || listed.error() == errc::store_unavailable);
    auto outbox = testing::read_outbox(store);
    EXPECT_TRUE(outbox || outbox.error() == errc::store_unavailable);
  }

  /// A claim and a commit that goes on from what the claim found.
  void change(state_store& store, const entity_id& entity, std::string state) {
    auto claimed = testing::claim(store, entity, our_token);
    if (!claimed) {
      EXPECT_EQ(claimed.error(), errc::store_unavailable);
      return;
    }
    auto& known = expected_[entity];
    expect_known(known, claimed->found);
    known = {claimed->found, std::nullopt}; // settled
    auto request = testing::change(entity, claimed->found.revision, state);
    auto revision = request.next.revision;
    request.outcomes = {{std::to_string(revision), "", 1, false, "", "b"}};
    request.outbox = {{entity.key, "", std::to_string(revision)}};
    switch (testing::commit(store, request)) {
    case commit_outcome::done:
      known.certain = request.next;
      break;
    case commit_outcome::unknown:
      known.possible = request.next;
      break;
    case commit_outcome::failed:
      break;
    case commit_outcome::refused:
    case commit_outcome::lock_lost:
      ADD_FAILURE() << "refused without a reason";
    }
    auto found = testing::load(store, entity);
    if (found)
      expect_known(known, *found);
    else
      EXPECT_EQ(found.error(), errc::store_unavailable);
  }

  void expect_known(const expectation& known, const stored_state& found) {
    EXPECT_TRUE(found == known.certain || found == known.possible)
      << "revision " << found.revision << ", " << known.certain.revision
      << " was told";
  }

  /// False if a file went while it was copied: then they do not belong
  /// together.
  static bool copy_files(const std::filesystem::path& from,
                         const std::filesystem::path& to) {
    for (auto name : {"data.db", "data.db-wal", "data.db-journal"}) {
      std::filesystem::remove(to / name);
      if (!std::filesystem::exists(from / name))
        continue;
      std::error_code gone;
      std::filesystem::copy(from / name, to / name, gone);
      if (gone)
        return false;
    }
    return true;
  }

  /// What a process that is killed now leaves.
  void expect_after_a_kill(const std::filesystem::path& folder) {
    testing::temporary_folder copy;
    for (int i = 0; i < 100 && !copy_files(folder, copy.path()); ++i)
      ;
    sqlite_store store{copy.path(), shared()};
    expect_what_was_told(store);
  }

  void expect_it_works(state_store& store) {
    for (std::string key : {"a", "b", "c", "new"}) {
      EXPECT_TRUE(testing::claim(store, {"s", key}, our_token)) << key;
      change(store, {"s", key}, "1");
      EXPECT_EQ(expected_[(entity_id{"s", key})].certain.state, "1");
    }
    EXPECT_TRUE(testing::list(store, {"s", "", "", 10, true}));
  }

  /// States, and outcomes and messages with them.
  void expect_what_was_told(state_store& store) {
    std::map<std::string, uint64_t> messages;
    auto rows = testing::read_outbox(store).value();
    for (auto& x : rows)
      messages[x.message.target] = std::stoull(x.message.body);
    for (auto& [entity, known] : expected_) {
      auto found = testing::load(store, entity).value();
      expect_known(known, found);
      EXPECT_EQ(messages[entity.key], found.revision);
      for (uint64_t i = 1; i <= found.revision + 1; ++i)
        EXPECT_EQ(testing::find_outcome(store, entity, std::to_string(i))
                    .value()
                    .has_value(),
                  i <= found.revision);
    }
  }

  std::map<entity_id, expectation> expected_;
};

INSTANTIATE_TEST_SUITE_P(each, sqlite_faults_test, ::testing::ValuesIn(faults),
                         [](auto& info) { return info.param.name; });

TEST_P(sqlite_faults_test, every_answer_is_true_wherever_it_strikes) {
  auto n = 1;
  while (run(n) && !HasFailure())
    ++n;
  EXPECT_FALSE(HasFailure()) << "at operation " << n;
  EXPECT_GT(n, 1) << "no operation of that kind";
}

} // namespace
} // namespace troupe
