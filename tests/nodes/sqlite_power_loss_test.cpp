// Power loss. What it shows: after a power cut at any moment, the store opens
// again with all that it acknowledged.
//
// How: a VFS of SQLite records every write, truncation, sync and removal of the
// store's files while a seeded load runs, and each acknowledgement notes how
// much was recorded by then. Afterwards the files are rebuilt as a cut before
// each single operation could have left them: what was synced is there, and of
// what was not all, nothing, a random part, or all with the last write torn at
// sectors of 512 bytes. Before every operation one of the four, in turn; around
// each sync and each acknowledgement all of them. Each of these disks is opened
// by the store, and compared with what was submitted and what was acknowledged.
//
// What it does not model: a disk that lies about syncs, or damages sectors that
// are not being written; the order of entries in a folder (a file is there once
// it was written to, and gone once it was removed; that the store syncs its
// folder is not seen); the index of the log (-shm), which is rebuilt after a
// cut; and machines that reorder more than what lies between two syncs of a
// file. Cuts during recovery from another cut are not tried.

#include <array>
#include <deque>
#include <map>
#include <random>
#include <set>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/recorded_disk.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using testing::unsynced_writes;

/// One commit of the load.
struct submitted {
  commit_request request;

  /// Operations that were recorded when it was acknowledged.
  size_t acknowledged_at = SIZE_MAX;
};

std::string outcome_id(uint64_t revision) {
  return "r" + std::to_string(revision);
}

/// A seeded load over some keys. Each commit brings an outcome and a message
/// that carry its revision, so that a part of one shows.
class load {
public:
  load(state_store& store, testing::recorded_disk& disk, unsigned seed)
    : store_(store), disk_(disk), random_{seed} {}

  void run(int commits) {
    for (int i = 0; i < commits; ++i)
      step();
    while (!waiting_.empty())
      wait_for_oldest();
  }

  const std::map<entity_id, std::vector<std::unique_ptr<submitted>>>&
  history() const {
    return history_;
  }

private:
  void step() {
    entity_id entity{"s", std::to_string(random_() % 6)};
    auto& token = tokens_[entity];
    if (token == fencing_token{} || random_() % 16 == 0) {
      token = {random_(), 1};
      waiting_.push_back(begin_counted([&](auto done) {
        store_.claim(entity, token, [=](expected<claimed_state> x) {
          EXPECT_TRUE(x);
          done();
        });
      }));
    }
    auto& commits = history_[entity];
    auto base = commits.empty() ? 0 : commits.back()->request.next.revision;
    auto x = commits.emplace_back(std::make_unique<submitted>()).get();
    x->request = make(entity, token, base);
    waiting_.push_back(begin_counted([&](auto done) {
      store_.commit(x->request, [this, x, done](commit_outcome outcome) {
        EXPECT_EQ(outcome, commit_outcome::done);
        x->acknowledged_at = disk_.size();
        done();
      });
    }));
    while (waiting_.size() > random_() % 12)
      wait_for_oldest();
  }

  commit_request make(const entity_id& entity, fencing_token token,
                      uint64_t base) {
    auto revision = base + 1 + random_() % 3;
    commit_request result{entity, token, base, {revision, {}}, {}, {}};
    if (random_() % 8 != 0) // else it is deleted
      result.next.state = "\"" + std::to_string(revision)
                          + std::string(random_() % 6 == 0 ? 9000 : 30, 'x')
                          + "\"";
    result.outcomes = {{outcome_id(revision), "", revision, false, "", "b"}};
    result.work = {
      testing::note({1 + static_cast<uint64_t>(entity.key[0]), revision},
                    entity.key, std::to_string(revision))};
    return result;
  }

  template <class Start>
  std::future<void> begin_counted(Start start) {
    auto answer = std::make_shared<std::promise<void>>();
    auto result = answer->get_future();
    start([answer] { answer->set_value(); });
    return result;
  }

  void wait_for_oldest() {
    waiting_.front().get();
    waiting_.pop_front();
  }

  state_store& store_;
  testing::recorded_disk& disk_;
  std::mt19937 random_;
  std::map<entity_id, fencing_token> tokens_;
  std::map<entity_id, std::vector<std::unique_ptr<submitted>>> history_;
  std::deque<std::future<void>> waiting_;
};

/// A run of the load that was recorded, and the check of what a cut leaves.
class recorded_run {
public:
  explicit recorded_run(unsigned seed) : random_{seed} {
    sqlite_options options;
    options.vfs = disk_.vfs();
    options.use = folder_use::shared; // cluster.db is no part of this
    options.requests_per_commit = 8;
    options.checkpoint_pages = 15;
    options.log_pages_max = 60;
    testing::temporary_folder folder;
    sqlite_store store{folder.path(), options};
    load_ = std::make_unique<load>(store, disk_, seed);
    load_->run(250);
  }

  testing::recorded_disk& disk() { return disk_; }

  /// What is wrong with the disk that a cut before operation `count` leaves;
  /// empty if nothing is.
  std::string check(size_t count, unsynced_writes fate) {
    testing::temporary_folder folder;
    disk_.rebuild(count, fate, random_, folder.path());
    try {
      sqlite_options options;
      options.vfs = quick_.name();
      options.use = folder_use::shared;
      std::string wrong;
      {
        sqlite_store store{folder.path(), options};
        wrong = compare(store, count);
      }
      return wrong.empty() ? check_integrity(folder.path()) : wrong;
    } catch (const error_exception& e) {
      return e.what();
    }
  }

  /// How often the log began anew.
  int logs() const {
    auto result = 0;
    for (size_t i = 0; i < disk_.size(); ++i)
      result += disk_[i].file == "data.db-wal" && disk_[i].offset == 0
                && disk_[i].what == testing::file_operation::kind::write;
    return result;
  }

  /// Operations after which something was acknowledged or synced.
  std::set<size_t> milestones() const {
    std::set<size_t> result{disk_.size()};
    for (auto& [entity, commits] : load_->history())
      for (auto& x : commits)
        result.insert(std::min(x->acknowledged_at, disk_.size()));
    for (size_t i = 0; i < disk_.size(); ++i)
      if (disk_[i].what == testing::file_operation::kind::sync)
        result.insert({i, i + 1});
    return result;
  }

private:
  std::string compare(state_store& store, size_t count) {
    std::map<std::string, std::vector<std::string>> messages;
    for (auto& x : testing::notes(store))
      messages[x.key].push_back(x.method);
    for (auto& [entity, commits] : load_->history()) {
      auto wrong = compare(store, count, entity, commits, messages[entity.key]);
      if (!wrong.empty())
        return "'" + entity.key + "' " + wrong;
    }
    return {};
  }

  std::string compare(state_store& store, size_t count, const entity_id& entity,
                      const std::vector<std::unique_ptr<submitted>>& commits,
                      const std::vector<std::string>& messages) {
    auto found = testing::load(store, entity).value();
    std::vector<std::string> expected_messages;
    auto is_known = found == stored_state{};
    for (auto& x : commits) {
      auto& next = x->request.next;
      auto is_there = next.revision <= found.revision;
      if (x->acknowledged_at <= count && !is_there)
        return "lost revision " + std::to_string(next.revision);
      if (testing::find_outcome(store, entity, outcome_id(next.revision))
            .value()
            .has_value()
          != is_there)
        return "has an outcome without its state, or the other way round";
      is_known = is_known || next == found;
      if (is_there)
        expected_messages.push_back(x->request.work[0].item.target.method);
    }
    if (!is_known)
      return "has a state that was never submitted";
    return messages == expected_messages
             ? ""
             : "has work that does not go with its state";
  }

  std::string check_integrity(const std::filesystem::path& folder) {
    SQLite::Database db{(folder / "data.db").string()};
    auto answer = db.execAndGet("PRAGMA integrity_check").getString();
    return answer == "ok" ? "" : answer;
  }

  std::mt19937 random_;
  testing::recorded_disk disk_;
  testing::watched_vfs quick_{
    [](const testing::file_operation&) { return testing::operation_fate{}; }};
  std::unique_ptr<load> load_;
};

constexpr std::array fates{
  unsynced_writes::all,
  unsynced_writes::none,
  unsynced_writes::some,
  unsynced_writes::last_one_torn,
};

TEST(sqlite_power_loss, leaves_all_that_was_acknowledged_at_any_moment) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  recorded_run run{seed};
  ASSERT_GT(run.logs(), 2) << "the load is too small to see checkpoints";
  auto milestones = run.milestones();
  auto check = [&](size_t count, size_t fate) {
    ASSERT_EQ(run.check(count, fates[fate]), "")
      << "a cut before operation " << count << " of " << run.disk().size()
      << ", fate " << fate;
  };
  for (size_t count = 0; count <= run.disk().size(); ++count) {
    auto all = milestones.contains(count);
    for (size_t i = 0; i < fates.size() && !HasFatalFailure(); ++i) {
      if (all || i == (count + seed) % fates.size())
        check(count, i);
    }
  }
}

TEST(sqlite_power_loss, is_found_to_lose_data_without_syncs) {
  recorded_run run{42};
  run.disk().forget_syncs();
  EXPECT_NE(run.check(run.disk().size(), unsynced_writes::none), "");
}

} // namespace
} // namespace troupe
