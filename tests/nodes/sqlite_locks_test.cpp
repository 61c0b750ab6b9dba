// Locks of several processes on one file: holders that are killed, that forget to
// release, and that wake up when somebody else has the lock already. Whatever
// they do, no write of an old holder comes after one of a new holder: every
// commit leaves its token in a piece of work whose id is the new value, so that
// their order is that of the commits.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/lock_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::claim;
using testing::commit;
using testing::find_lock;

sqlite_options shared() {
  sqlite_options result;
  result.use = folder_use::shared;
  return result;
}

class sqlite_locks_test : public ::testing::Test {
protected:
  testing::temporary_folder folder;
};

// -- two stores on one file --------------------------------------------------

TEST_F(sqlite_locks_test, a_grant_of_one_is_seen_by_the_other) {
  sqlite_store one{folder.path(), shared()};
  sqlite_store two{folder.path(), shared()};
  EXPECT_TRUE(testing::acquire(*one.locks(), "door", "a", 1h).done);
  EXPECT_FALSE(testing::acquire(*two.locks(), "door", "b", 1h).done);
  EXPECT_EQ(find_lock(*two.locks(), "door").token, 1u);
  EXPECT_TRUE(testing::release(*two.locks(), {"door", 1}).done);
  EXPECT_TRUE(testing::acquire(*two.locks(), "door", "b", 1h).done);
  EXPECT_FALSE(testing::renew(*one.locks(), {"door", 1}, 1h).done);
}

TEST_F(sqlite_locks_test, tokens_go_on_in_a_store_that_was_opened_again) {
  for (uint64_t i = 1; i < 5; ++i) {
    sqlite_store store{folder.path()};
    auto x = testing::acquire(*store.locks(), "door", std::to_string(i), 1h);
    EXPECT_EQ(x.now.token, i);
    testing::release(*store.locks(), {"door", i});
  }
}

// -- the machine -------------------------------------------------------------

TEST_F(sqlite_locks_test,
       last_as_long_as_they_should_over_a_start_of_the_host) {
  testing::test_clock clock;
  auto options = shared();
  options.lock_clock = [&] { return clock.now(); };
  {
    sqlite_store store{folder.path(), options};
    testing::acquire(*store.locks(), "door", "a", 100s);
  }
  clock.reboot(60s);
  sqlite_store store{folder.path(), options};
  EXPECT_EQ(find_lock(*store.locks(), "door"), (lock_row{1, 40s}));
  // A wall clock that is wrong by years makes it last no longer than its time.
  clock.set_wall(0s);
  EXPECT_EQ(testing::acquire(*store.locks(), "door", "b", 1s),
            (lock_answer{false, {1, 100s}}));
  clock.pass(99s);
  EXPECT_FALSE(testing::acquire(*store.locks(), "door", "b", 1s).done);
  clock.pass(1s);
  EXPECT_TRUE(testing::acquire(*store.locks(), "door", "b", 1s).done);
}

// -- a holder that is killed -------------------------------------------------

/// Runs `f` in a process of its own; it ends when that returns.
template <class F>
pid_t start_process(F f) {
  auto child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that is killed leaves none
    _exit(f());
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(sqlite_locks_test,
       of_a_process_that_was_killed_are_free_after_their_time) {
  { sqlite_store made{folder.path(), shared()}; }
  auto holder = start_process([&] {
    sqlite_store store{folder.path(), shared()};
    testing::acquire(*store.locks(), "door", "killed", 400ms);
    raise(SIGKILL);
    return 0;
  });
  ASSERT_EQ(WTERMSIG(wait_for(holder)), SIGKILL);
  sqlite_store store{folder.path(), shared()};
  auto begun = std::chrono::steady_clock::now();
  lock_answer got;
  auto waited = 0;
  while (!(got = testing::acquire(*store.locks(), "door", "next", 1h)).done) {
    ASSERT_LE(got.now.left, 400ms);
    ASSERT_LT(std::chrono::steady_clock::now() - begun, 10s);
    ++waited;
  }
  EXPECT_GT(waited, 0);
  EXPECT_EQ(got.now.token, 2u);
}

// -- many processes ----------------------------------------------------------

const entity_id guarded{"guarded", "state"};

struct settings {
  std::filesystem::path folder;

  /// Commits are bound to the lock, as they should be.
  bool is_bound = true;
};

/// Between two looks at a lock; to ask for it would keep others from writing.
void pause() {
  std::this_thread::sleep_for(500us);
}

/// Asks until it has the lock, for that time.
uint64_t acquire_soon(sqlite_store& store, const std::string& holder,
                      std::chrono::milliseconds time) {
  for (int i = 0;; ++i) {
    while (find_lock(*store.locks(), "door").held())
      pause();
    // Each try is a request of its own.
    auto answer = testing::begin_acquire(*store.locks(), "door",
                                         holder + '/' + std::to_string(i), time)
                    .get();
    if (answer && answer->done)
      return answer->now.token;
  }
}

/// Adds 1 to the value, under the lock, with its token beside it.
commit_outcome write_under(sqlite_store& store, uint64_t token, bool is_bound,
                           std::mt19937_64& random) {
  for (;;) {
    fencing_token owner{random(), random()};
    auto claimed = claim(store, guarded, owner);
    if (!claimed)
      continue;
    auto& found = claimed->found;
    auto value = found.exists() ? std::stoull(found.state) : 0;
    auto next = testing::change(guarded, found.revision,
                                std::to_string(value + 1), owner);
    next.work = {testing::note({1, value + 1}, "door", std::to_string(token))};
    if (is_bound)
      next.locks = {{"door", token}};
    auto outcome = commit(store, next);
    // Another process may have claimed it in between: that is no news.
    if (outcome != commit_outcome::refused && outcome != commit_outcome::failed)
      return outcome;
  }
}

/// A holder after the other, some of them late. Ends by being killed, or with a
/// status other than 0 if a late one was not refused.
int hold_again_and_again(const settings& with, unsigned seed) {
  sqlite_store store{with.folder, shared()};
  std::mt19937_64 random{seed};
  auto time = 20ms; // a machine that does something else takes longer to write
  for (int i = 0;; ++i) {
    auto token =
      acquire_soon(store, std::to_string(seed) + '.' + std::to_string(i), time);
    auto what = random() % 4;
    if (what == 0)
      // It oversleeps: somebody else has the lock when it wakes up.
      while (find_lock(*store.locks(), "door").token == token)
        pause();
    auto outcome = write_under(store, token, with.is_bound, random);
    if (what == 0 && with.is_bound && outcome != commit_outcome::lock_lost)
      return 3;
    if (what != 0 && outcome == commit_outcome::lock_lost)
      time = std::min(2 * time, 2000ms);
    if (what != 1) // else it forgets to release
      testing::release(*store.locks(), {"door", token});
  }
}

class fight {
public:
  fight(settings with, unsigned seed) : with_(std::move(with)), random_(seed) {
    for (size_t i = 0; i < 3; ++i)
      start();
  }

  ~fight() {
    for (auto child : children_)
      end(child);
  }

  /// Kills and replaces a holder whenever some more commits are there.
  void run(size_t commits) {
    while (tokens.size() < commits && !::testing::Test::HasFatalFailure()) {
      read_until(tokens.size() + 1 + random_() % 10);
      auto& victim = children_[random_() % children_.size()];
      end(victim);
      ++kills;
      victim = children_.back();
      children_.pop_back();
      start();
    }
  }

  size_t late_writes() const {
    size_t result = 0;
    for (size_t i = 1; i < tokens.size(); ++i)
      result += tokens[i] < tokens[i - 1] ? 1 : 0;
    return result;
  }

  std::vector<uint64_t> tokens;
  size_t kills = 0;

private:
  /// Waits for so many commits. No connection is open afterwards: SQLite does
  /// not stand a fork.
  void read_until(size_t commits) {
    sqlite_store store{with_.folder, shared()};
    auto until = std::chrono::steady_clock::now() + 60s;
    while (tokens.size() < commits) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "no progress";
      for (auto& x : testing::notes(store, invocation_id{1, tokens.size()}))
        tokens.push_back(std::stoull(x.method));
      std::this_thread::sleep_for(2ms); // leaves the processor to the holders
    }
  }

  void start() {
    auto seed = static_cast<unsigned>(random_());
    children_.push_back(start_process(
      [with = with_, seed] { return hold_again_and_again(with, seed); }));
  }

  static void end(pid_t child) {
    kill(child, SIGKILL);
    auto status = wait_for(child);
    EXPECT_TRUE(WIFSIGNALED(status))
      << "a late holder was not refused: " << WEXITSTATUS(status);
  }

  settings with_;
  std::mt19937_64 random_;
  std::vector<pid_t> children_;
};

TEST_F(sqlite_locks_test, no_write_of_an_old_holder_passes) {
  { sqlite_store made{folder.path(), shared()}; }
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  size_t kills = 0;
  {
    fight all{{folder.path()}, seed};
    all.run(40);
    EXPECT_EQ(all.late_writes(), 0u);
    kills = all.kills;
  }
  EXPECT_GT(kills, 1u);
  sqlite_store store{folder.path(), shared()};
  auto log = testing::notes(store);
  auto found = testing::load(store, guarded).value();
  EXPECT_EQ(found.state, std::to_string(log.size())) << "an update was lost";
  EXPECT_GT(find_lock(*store.locks(), "door").token, 20u);
}

// The test can fail: these do not show the lock that they hold.
TEST_F(sqlite_locks_test, writes_that_are_not_bound_to_the_lock_come_late) {
  { sqlite_store made{folder.path(), shared()}; }
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  fight all{{folder.path(), false}, seed};
  while (all.late_writes() == 0 && all.tokens.size() < 300)
    all.run(all.tokens.size() + 1);
  EXPECT_GT(all.late_writes(), 0u);
}

} // namespace
} // namespace troupe
