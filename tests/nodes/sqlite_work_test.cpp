// Work of several processes on one file, and of processes that are killed: what
// was accepted is done, by one at a time, whoever dies in between. And what a
// queue costs does not grow with what waits in it.

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/store/sqlite_schema.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "nodes/store/sqlite_work.hpp"
#include "nodes/store/sqlite_work_queries.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/work_calls.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::accept;
using testing::at;
using testing::begin_claim;
using testing::find_work;
using testing::report;
using testing::work;
using testing::work_id;

sqlite_options shared() {
  sqlite_options result;
  result.use = folder_use::shared;
  return result;
}

class sqlite_work_test : public ::testing::Test {
protected:
  testing::temporary_folder folder;
};

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

// -- who is told at home -----------------------------------------------------

/// Keeps the errands that it is given.
class kept_errands final : public home_thread {
public:
  void post(errands what) override {
    {
      std::lock_guard guard{mutex_};
      for (auto& x : what)
        all_.push_back(std::move(x));
    }
    changed_.notify_all();
  }

  void wait_for(size_t count) {
    std::unique_lock guard{mutex_};
    ASSERT_TRUE(
      changed_.wait_for(guard, 30s, [&] { return all_.size() >= count; }));
  }

  /// Waits for `count` of them; runs them on this thread.
  void run(size_t count) {
    wait_for(count);
    errands all;
    {
      std::lock_guard guard{mutex_};
      all.swap(all_);
    }
    for (auto& x : all)
      x->run();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  errands all_;
};

TEST_F(sqlite_work_test, who_has_a_home_is_told_there_of_work_and_reports) {
  sqlite_store store{folder.path()};
  auto home = std::make_shared<kept_errands>();
  auto here = std::this_thread::get_id();
  std::vector<uint64_t> told;
  for (uint64_t n = 1; n <= 3; ++n) {
    work_request request{work(n), "", "", "node"};
    request.home = home;
    store.work()->accept(std::move(request), [&, n](auto what) {
      EXPECT_TRUE(what && what->is_new);
      EXPECT_EQ(std::this_thread::get_id(), here);
      told.push_back(n);
    });
  }
  home->run(3);
  EXPECT_EQ(told, (std::vector<uint64_t>{1, 2, 3}));
  work_report end{work_id(2), "node", 1, work_end::succeeded};
  end.home = home;
  std::optional<work_outcome> outcome;
  store.work()->report(std::move(end), at(1),
                       [&](work_outcome what) { outcome = what; });
  home->wait_for(1);
  EXPECT_EQ(find_work(*store.work(), work_id(2)).value()->state,
            work_state::succeeded)
    << "it is durable before anybody is told";
  EXPECT_FALSE(outcome);
  home->run(1);
  EXPECT_EQ(outcome, work_outcome::done);
}

TEST_F(sqlite_work_test, a_home_outlives_the_store_if_it_was_not_told_yet) {
  auto home = std::make_shared<kept_errands>();
  auto told = false;
  {
    sqlite_store store{folder.path()};
    work_request request{work(1)};
    request.home = home;
    store.work()->accept(std::move(request),
                         [&](auto what) { told = what && what->is_new; });
  }
  home->run(1);
  EXPECT_TRUE(told);
}

// -- two stores on one file --------------------------------------------------

TEST_F(sqlite_work_test, what_one_accepts_another_claims) {
  sqlite_store one{folder.path(), shared()};
  sqlite_store two{folder.path(), shared()};
  accept(*one.work(), {work(1)}).value();
  auto claimed = begin_claim(*two.work(), "two", {{"add", 5}}, at(0)).get();
  EXPECT_EQ(claimed, (std::vector<claimed_work>{{work(1), 1}}));
  EXPECT_TRUE(
    begin_claim(*one.work(), "one", {{"add", 5}}, at(0)).get()->empty());
  EXPECT_EQ(testing::claimants(*one.work()), (std::vector<std::string>{"two"}));
  auto end = [](state_store& store, std::string node) {
    return report(*store.work(), {work_id(1), node, 1, work_end::succeeded},
                  at(1));
  };
  EXPECT_EQ(end(one, "one"), work_outcome::refused);
  EXPECT_EQ(end(two, "two"), work_outcome::done);
  EXPECT_EQ(find_work(*one.work(), work_id(1)).value()->state,
            work_state::succeeded);
}

// They number the work that is done, in one millisecond.
TEST_F(sqlite_work_test, two_end_work_in_the_same_moment) {
  sqlite_store one{folder.path(), shared()};
  sqlite_store two{folder.path(), shared()};
  for (uint64_t n = 0; n < 20; ++n) {
    auto& queue = *(n % 2 == 0 ? one : two).work();
    accept(queue, {work(n), "", "", "node"}).value();
    EXPECT_EQ(
      report(queue, {work_id(n), "node", 1, work_end::succeeded}, at(1)),
      work_outcome::done);
  }
  EXPECT_EQ(testing::forget(*one.work(), at(1), at(0), at(0), 100), size_t{0});
  EXPECT_EQ(testing::forget(*one.work(), at(2), at(0), at(0), 100), size_t{20});
}

// -- a process that is killed ------------------------------------------------

TEST_F(sqlite_work_test, what_is_reported_with_its_origin_leaves_no_arguments) {
  {
    sqlite_store store{folder.path()};
    auto& queue = *store.work();
    work_request x{work(1), "", "", "node"};
    x.item.arguments.bytes = std::string(10'000, 'x');
    ASSERT_TRUE(accept(queue, x));
    work_report end{work_id(1), "node", 2, work_end::succeeded};
    end.origin = work_origin{x.item.target, x.item.priority, x.item.accepted,
                             x.item.arguments.bytes.size()};
    EXPECT_EQ(report(queue, end, at(1)), work_outcome::refused);
    end.attempt = 1;
    EXPECT_EQ(report(queue, end, at(1)), work_outcome::done);
    EXPECT_EQ(report(queue, end, at(2)), work_outcome::done);
    auto found = find_work(queue, work_id(1)).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->state, work_state::succeeded);
    EXPECT_EQ(found->target, x.item.target);
    EXPECT_EQ(found->accepted, x.item.accepted);
    EXPECT_EQ(found->finished, at(1));
  }
  SQLite::Database db{(folder.path() / "data.db").string()};
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM work_body").getInt(), 0);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM work_claimed").getInt(), 0);
}

TEST_F(sqlite_work_test, work_of_a_killed_process_is_done_by_another) {
  { sqlite_store made{folder.path(), shared()}; }
  auto child = start_process([&] {
    sqlite_store store{folder.path(), shared()};
    auto item = work(1);
    item.arguments.bytes = std::string(100'000, 'x');
    accept(*store.work(), {item, "key", "print", "killed"}).value();
    accept(*store.work(), {work(2), "", "", "killed"}).value();
    report(*store.work(), {work_id(2), "killed", 1, work_end::succeeded},
           at(1));
    raise(SIGKILL); // before it tells what became of the first
    return 0;
  });
  ASSERT_EQ(WTERMSIG(wait_for(child)), SIGKILL);
  sqlite_store store{folder.path(), shared()};
  auto& queue = *store.work();
  EXPECT_EQ(testing::claimants(queue), (std::vector<std::string>{"killed"}));
  EXPECT_EQ(find_work(queue, work_id(2)).value()->state, work_state::succeeded);
  EXPECT_EQ(accept(queue, {work(3), "key", "print"}),
            (work_accepted{work_id(1), false}));
  EXPECT_EQ(testing::give_back(queue, "killed", at(2), 10), size_t{1});
  auto claimed = begin_claim(queue, "next", {{"add", 5}}, at(2)).get().value();
  ASSERT_EQ(claimed.size(), 1u);
  EXPECT_EQ(claimed[0].item.arguments.bytes, std::string(100'000, 'x'));
  EXPECT_EQ(claimed[0].attempt, 2u);
}

/// What a process told of one piece of work: `n` with what it did.
struct told {
  uint64_t n;
  char what;
};

/// Accepts and ends one piece after the other, in several lanes at once, and
/// tells `to` of what it was told. Until it is killed.
int accept_and_end(const std::filesystem::path& folder, int to, uint64_t first,
                   const std::string& name) {
  sqlite_store store{folder, shared()};
  auto& queue = *store.work();
  auto tell = [to](uint64_t n, char what) {
    told x{n, what};
    return write(to, &x, sizeof x) == sizeof x;
  };
  for (auto n = first;; ++n) {
    auto begins = n % 3 != 0;
    if (!accept(queue, {work(n), "", "", begins ? name : ""}) || !tell(n, 'a'))
      return 1;
    if (!begins)
      continue;
    work_report x{work_id(n), name, 1, work_end::succeeded};
    x.follow = {{work(1'000'000 + n, {"next"})}};
    if (report(queue, x, at(1)) != work_outcome::done || !tell(n, 'r'))
      return 1;
  }
}

TEST_F(sqlite_work_test, nothing_that_was_told_is_lost_when_processes_die) {
  { sqlite_store made{folder.path(), shared()}; }
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::map<uint64_t, char> heard;
  for (uint64_t round = 0; round < 6; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    std::vector<pid_t> children;
    for (uint64_t i = 0; i < 2; ++i) {
      auto child = round * 2 + i;
      children.push_back(start_process([&] {
        return accept_and_end(folder.path(), ends[1], 10'000 * child,
                              "node " + std::to_string(child));
      }));
    }
    close(ends[1]);
    auto left = 20 + random() % 60;
    told x;
    while (read(ends[0], &x, sizeof x) == sizeof x) {
      heard[x.n] = x.what;
      if (left > 0 && --left == 0)
        for (auto child : children)
          kill(child, SIGKILL);
    }
    close(ends[0]);
    for (auto child : children)
      EXPECT_EQ(WTERMSIG(wait_for(child)), SIGKILL);
  }
  EXPECT_GT(heard.size(), 60u);
  sqlite_store store{folder.path(), shared()};
  auto& queue = *store.work();
  for (auto [n, what] : heard) {
    auto found = find_work(queue, work_id(n)).value();
    ASSERT_TRUE(found) << n;
    auto next = find_work(queue, work_id(1'000'000 + n)).value();
    EXPECT_EQ(next.has_value(), found->state == work_state::succeeded) << n;
    EXPECT_TRUE(what != 'r' || found->state == work_state::succeeded) << n;
  }
  auto names = testing::claimants(queue).value();
  for (auto& name : names)
    testing::give_back(queue, name, at(2), 100).value();
  EXPECT_TRUE(testing::claimants(queue)->empty());
}

// -- many processes ----------------------------------------------------------

/// Claims until nothing is left, and tells `to` of each.
int claim_and_end(const std::filesystem::path& folder, int to,
                  const std::string& name) {
  sqlite_store store{folder, shared()};
  auto& queue = *store.work();
  for (;;) {
    auto claimed =
      begin_claim(queue, name, {{"add", 3}, {"next", 2}}, at(0)).get();
    if (!claimed)
      return 1;
    if (claimed->empty())
      return 0;
    for (auto& x : *claimed) {
      auto n = x.item.id.low;
      if (x.attempt != 1 || write(to, &n, sizeof n) != sizeof n
          || report(queue, {x.item.id, name, 1, work_end::succeeded}, at(1))
               != work_outcome::done)
        return 1;
    }
  }
}

TEST_F(sqlite_work_test, processes_that_claim_at_once_get_each_piece_once) {
  constexpr uint64_t count = 300;
  {
    sqlite_store store{folder.path(), shared()};
    std::vector<std::future<expected<work_accepted>>> all;
    for (uint64_t n = 0; n < count; ++n)
      all.push_back(testing::begin_accept(
        *store.work(), {work(n, {n % 2 == 0 ? "add" : "next"})}));
    for (auto& x : all)
      ASSERT_TRUE(x.get());
  }
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::vector<pid_t> children;
  for (auto name : {"a", "b", "c"})
    children.push_back(start_process(
      [&] { return claim_and_end(folder.path(), ends[1], name); }));
  close(ends[1]);
  std::multiset<uint64_t> claimed;
  uint64_t n = 0;
  while (read(ends[0], &n, sizeof n) == sizeof n)
    claimed.insert(n);
  close(ends[0]);
  for (auto child : children)
    EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(claimed.size(), count);
  EXPECT_EQ(std::set(claimed.begin(), claimed.end()).size(), count);
}

// -- what it costs -----------------------------------------------------------

/// The steps of SQLite's machine, which are the same each time.
class step_counter {
public:
  explicit step_counter(SQLite::Database& db) : db_(db) {
    sqlite3_progress_handler(db_.getHandle(), 1, count, this);
  }

  ~step_counter() { sqlite3_progress_handler(db_.getHandle(), 0, nullptr, {}); }

  uint64_t steps() const { return steps_; }

private:
  static int count(void* self) {
    ++static_cast<step_counter*>(self)->steps_;
    return 0;
  }

  SQLite::Database& db_;
  uint64_t steps_ = 0;
};

/// A queue with so much work that waits in another lane, is not due, is dead, or
/// was done.
class backlog {
public:
  explicit backlog(uint64_t count) {
    SQLite::Transaction all{db_};
    for (uint64_t n = 0; n < count; ++n) {
      auto item = work(1000 + n, {n % 2 == 0 ? "other" : "add"});
      item.due = n % 2 == 0 ? at(0) : at(1000);
      queue_.accept({item}).value();
      queue_.accept({work(1'000'000 + n, {"add"}), "", "", "gone"}).value();
      queue_.report({work_id(1'000'000 + n), "gone", 1,
                     n % 2 == 0 ? work_end::succeeded : work_end::dead},
                    at(static_cast<int64_t>(n)));
    }
    for (uint64_t n = 0; n < 10; ++n)
      queue_.accept({work(n)}).value();
    all.commit();
  }

  template <class F>
  uint64_t steps(F f) {
    step_counter counter{db_};
    f(queue_, queries_);
    return counter.steps();
  }

private:
  static SQLite::Database make() {
    SQLite::Database db{":memory:", SQLite::OPEN_READWRITE};
    migrate_schema(db, ":memory:", data_schema());
    return db;
  }

  SQLite::Database db_ = make();
  sqlite_work queue_{db_};
  sqlite_work_queries queries_{db_};
};

template <class F>
void expect_no_growth(const char* what, F f) {
  backlog little{100};
  backlog much{20'000};
  auto before = little.steps(f);
  auto after = much.steps(f);
  EXPECT_GT(before, 0u) << what;
  EXPECT_LE(after, before + before / 10) << what;
}

TEST(sqlite_work_cost, does_not_grow_with_what_waits_and_what_was_done) {
  using queries = sqlite_work_queries;
  expect_no_growth("accept and report", [](sqlite_work& x, queries&) {
    x.accept({work(500), "", "", "node"}).value();
    x.report({work_id(500), "node", 1, work_end::succeeded}, at(30'000));
  });
  expect_no_growth("accept", [](sqlite_work& x, queries&) {
    x.accept({work(500), "key", "print"}).value();
  });
  expect_no_growth("claim", [](sqlite_work& x, queries&) {
    EXPECT_EQ(x.claim("node", {{"add", 64}}, at(0)).size(), 10u);
  });
  expect_no_growth("lanes", [](sqlite_work&, queries& x) {
    EXPECT_EQ(x.lanes("", 10).size(), 2u);
  });
  expect_no_growth("claimants", [](sqlite_work&, queries& x) {
    EXPECT_TRUE(x.claimants().empty());
  });
  expect_no_growth("claim_expired", [](sqlite_work& x, queries&) {
    x.claim_expired("node", at(0), 100);
  });
  expect_no_growth("forget", [](sqlite_work& x, queries&) {
    EXPECT_EQ(x.forget(at(50), at(50), at(0), 10), 20u);
  });
  expect_no_growth("give_back", [](sqlite_work& x, queries&) {
    x.give_back("gone", at(0), 100);
  });
  expect_no_growth("find", [](sqlite_work&, queries& x) {
    EXPECT_TRUE(x.find(work_id(1003)));
  });
  for (auto state :
       {work_state::waiting, work_state::claimed, work_state::dead})
    for (auto lane : {"", "add"})
      expect_no_growth("list", [&](sqlite_work&, queries& x) {
        x.list({state, lane, {}, {}, 20});
      });
  expect_no_growth("redrive", [](sqlite_work& x, queries&) {
    x.redrive({work_state::dead, "add", {}, {}, 10}, at(0), at(1));
  });
}

} // namespace
} // namespace troupe
