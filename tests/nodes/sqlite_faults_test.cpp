// A disk that is full, or broken for a while. Goal: whatever fails and whenever,
// each operation gets an answer that is true: what was `done` is there after a
// restart, what was `refused` or `failed` is not, not even after a kill, and the
// store works again as soon as the disk does.
//
// How: a VFS of SQLite lets the n-th read, write, truncation, sync or removal
// fail, once or until the fault is taken away, with and without having done it.
// The same small load runs for n = 1, 2, 3, ... until it ends without meeting
// the fault.

#include <filesystem>
#include <map>
#include <optional>

#include <gtest/gtest.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using testing::fault;
using testing::faulty_disk;
using testing::our_token;

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
    request.work = {
      testing::note({1 + static_cast<uint64_t>(entity.key[0]), revision},
                    entity.key, std::to_string(revision))};
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

  /// What a process that is killed now leaves.
  void expect_after_a_kill(const std::filesystem::path& folder) {
    testing::temporary_folder copy;
    testing::copy_store(folder, copy.path());
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

  /// States, and outcomes and work with them.
  void expect_what_was_told(state_store& store) {
    std::map<std::string, uint64_t> last_note;
    for (auto& x : testing::notes(store))
      last_note[x.key] = std::stoull(x.method);
    for (auto& [entity, known] : expected_) {
      auto found = testing::load(store, entity).value();
      expect_known(known, found);
      EXPECT_EQ(last_note[entity.key], found.revision);
      for (uint64_t i = 1; i <= found.revision + 1; ++i)
        EXPECT_EQ(testing::find_outcome(store, entity, std::to_string(i))
                    .value()
                    .has_value(),
                  i <= found.revision);
    }
  }

  std::map<entity_id, expectation> expected_;
};

INSTANTIATE_TEST_SUITE_P(each, sqlite_faults_test,
                         ::testing::ValuesIn(testing::faults),
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
