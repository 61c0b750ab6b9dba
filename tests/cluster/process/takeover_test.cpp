// How long the keys of a node that is gone are without an owner, as a client of
// another node sees it: from the moment it is gone to the first answer of each of
// them. Killed, a node that shares a folder of this host is proven dead; on a
// server, or stopped, it is dead when its lease has run out and the others have
// waited long enough. The keys of all
// other nodes never stop.
//
// What is measured while the machine itself stands still says nothing, and does
// not count.
//
// TROUPE_TAKEOVER_TRIALS sets how often each is tried.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/history.hpp"
#include "tests/support/kept_evidence.hpp"
#include "tests/support/machine_watch.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

constexpr size_t keys_per_trial = 8;

/// What is measured while the machine stands still for longer is not used.
constexpr std::chrono::milliseconds stop_max{300};

/// Whether a process is in the middle of writing to an SQLite store: it holds
/// the lock of a log's writers, a byte of the log's index. One that is stopped
/// there stops everybody's commits until it wakes, and nobody takes over.
bool is_writing(pid_t pid) {
  constexpr uint64_t lock_of_writers = 120;
  std::ifstream in{"/proc/locks"};
  for (std::string line; std::getline(in, line);) {
    // 1: POSIX  ADVISORY  WRITE 4711 00:2e:1234 120 120
    std::istringstream words{line};
    std::string number, kind, mode, access, file, end;
    pid_t holder = 0;
    uint64_t first = 0;
    words >> number >> kind >> mode >> access >> holder >> file >> first >> end;
    if (words && holder == pid && access == "WRITE" && first == lock_of_writers)
      return true;
  }
  return false;
}

/// A signal takes a moment to stop all threads of a process.
bool is_stopped(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(in, text);
  auto end = text.rfind(')'); // of the name
  return end != text.npos && text.size() > end + 2 && text[end + 2] == 'T';
}

/// How it went for one key.
struct key_outcome {
  /// To the first answer, or the longest call.
  seconds took{0};

  /// An error that should not be; empty: none.
  std::string failure;
};

/// Increments one key at one node, again and again, until it is answered.
class prober {
public:
  prober(const test::node_process& at, std::string key, clock::time_point since)
    : at_(at), key_(std::move(key)), since_(since), thread_([this] { run(); }) {
  }

  prober(const prober&) = delete;

  ~prober() { join(); }

  key_outcome join() {
    if (thread_.joinable())
      thread_.join();
    return outcome_;
  }

private:
  void run() {
    constexpr int tries_max = 20;
    auto path = "/services/counter/" + key_ + "/increment";
    test::http_answer x;
    for (int i = 0; i < tries_max && x.status != 200; ++i)
      x = test::post(at_, path, {}, {"Troupe-Timeout-Ms: 10000"});
    outcome_.took = clock::now() - since_;
    if (x.status != 200)
      outcome_.failure = key_ + " has no owner: " + x.body;
    // It was 1. Calls whose answers were lost may have been done.
    else if (std::stoi(x.body) < 2)
      ADD_FAILURE() << key_ << " is back at " << x.body;
  }

  const test::node_process& at_;
  const std::string key_;
  const clock::time_point since_;
  key_outcome outcome_;
  std::thread thread_;
};

/// Increments one key all the time.
class steady_caller {
public:
  steady_caller(const test::node_process& at, const std::string& key)
    : thread_([this, &at, path = "/services/counter/" + key + "/increment"] {
        while (!done_) {
          auto begin = clock::now();
          auto x = test::post(at, path);
          if (x.status != 200)
            outcome_.failure = x.body;
          outcome_.took =
            std::max(outcome_.took, seconds{clock::now() - begin});
        }
      }) {}

  ~steady_caller() { join(); }

  key_outcome join() {
    done_ = true;
    if (thread_.joinable())
      thread_.join();
    return outcome_;
  }

private:
  std::atomic<bool> done_{false};
  key_outcome outcome_;
  std::thread thread_;
};

class takeover : public ::testing::TestWithParam<test::store_kind> {
protected:
  takeover() {
    test::cluster_settings settings;
    settings.store = store_.get();
    settings.logs = evidence_.path();
    nodes_ = std::make_unique<test::node_cluster>(settings);
    for (auto& id : ids_)
      nodes_->start(id);
  }

  /// `strike` takes a node away, `mend` brings it back. A trial in which the
  /// machine stood still does not count, and is made again, with an end to it.
  template <class Strike, class Mend>
  void run(uint64_t trials, Strike strike, Mend mend) {
    auto most = 3 * trials + 10;
    for (uint64_t i = 0; i < most && times_.size() < trials && !HasFailure();
         ++i)
      trial(i, strike, mend);
    std::sort(times_.begin(), times_.end());
  }

  template <class Strike, class Mend>
  void trial(uint64_t number, Strike& strike, Mend& mend) {
    auto& victim = ids_[number % ids_.size()];
    auto& a = ids_[(number + 1) % ids_.size()];
    auto& b = ids_[(number + 2) % ids_.size()];
    nodes_->settle(); // what moves is nobody's for a moment
    auto prefix = "t" + std::to_string(number) + "-";
    auto keys = nodes_->keys_of(victim, keys_per_trial, prefix);
    for (auto& key : keys)
      ASSERT_EQ(increment(victim, key), "1");
    machine_.longest_stop();
    steady_caller others{(*nodes_)[a], nodes_->key_of(b, "steady")};
    strike(victim);
    auto since = clock::now();
    std::deque<prober> probers;
    for (size_t i = 0; i < keys.size(); ++i)
      probers.emplace_back((*nodes_)[i % 2 ? a : b], keys[i], since);
    key_outcome all;
    for (auto& x : probers) {
      auto one = x.join();
      all.took = std::max(all.took, one.took);
      all.failure += one.failure;
    }
    auto steady = others.join();
    judge(all, steady);
    mend(victim);
  }

  void judge(const key_outcome& taken, const key_outcome& others) {
    if (auto stop = seconds{machine_.longest_stop()}; stop > stop_max) {
      std::cout << "does not count: the machine stood still for "
                << stop.count() << " s, the takeover took "
                << taken.took.count() << " s " << taken.failure
                << others.failure << std::endl;
      return;
    }
    EXPECT_EQ(taken.failure, "");
    EXPECT_EQ(others.failure, "");
    times_.push_back(taken.took.count());
    longest_of_others_ = std::max(longest_of_others_, others.took);
  }

  std::string increment(const std::string& at, const std::string& key) {
    return test::post((*nodes_)[at], "/services/counter/" + key + "/increment")
      .body;
  }

  const std::string& other_than(const std::string& id) const {
    return ids_[0] == id ? ids_[1] : ids_[0];
  }

  double median() const { return times_.at(times_.size() / 2); }

  /// @param median_max in seconds, if there are enough trials to speak of it
  void report(const char* what, double median_max) {
    constexpr size_t enough = 20;
    ASSERT_FALSE(times_.empty()) << "the machine stood still in every trial";
    std::cout << std::fixed << std::setprecision(3) << what << ", "
              << times_.size() << " trials: median " << median() << " s, least "
              << times_.front() << " s, most " << times_.back()
              << " s; the longest call of other keys "
              << longest_of_others_.count() << " s\n";
    EXPECT_LE(times_.back(), 5.0);
    if (times_.size() >= enough) {
      EXPECT_LE(median(), median_max);
    }
    // They wait for nobody, but for this machine.
    EXPECT_LE(longest_of_others_.count(), 2.0);
  }

  const std::vector<std::string> ids_{"a", "b", "c"};
  kept_evidence evidence_;
  std::unique_ptr<test::shared_store> store_ = GetParam().make();
  std::unique_ptr<test::node_cluster> nodes_;
  machine_watch machine_;
  std::vector<double> times_;
  seconds longest_of_others_{0};
};

TEST_P(takeover, of_a_killed_node_needs_no_waiting_if_there_is_a_proof) {
  auto waits = GetParam().is_server;
  run(
    number_from_environment("TROUPE_TAKEOVER_TRIALS", waits ? 1 : 3),
    [this](auto& id) { (*nodes_)[id].kill(); },
    [this](auto& id) { nodes_->start(id); });
  report(waits ? "kill -9, by the lease alone" : "kill -9, proof of death",
         waits ? 3.5 : 1.0);
}

TEST_P(takeover, of_a_node_that_stands_still_waits_for_its_lease) {
  std::string before;
  run(
    number_from_environment("TROUPE_TAKEOVER_TRIALS",
                            GetParam().is_server ? 1 : 2),
    [&](auto& id) {
      auto& node = (*nodes_)[id];
      before = nodes_->seen_by(id).at(id).at("incarnation");
      // Not in a transaction.
      ASSERT_TRUE(test::eventually([&] {
        node.signal(SIGSTOP);
        test::eventually([&] { return is_stopped(node.pid()); });
        if (!is_writing(node.pid()))
          return true;
        node.signal(SIGCONT);
        return false;
      }));
    },
    [&](auto& id) {
      (*nodes_)[id].signal(SIGCONT);
      // It finds out by itself, and joins anew.
      EXPECT_TRUE(test::eventually([&] {
        auto seen = nodes_->seen_by(other_than(id));
        return seen.contains(id) && seen[id]["incarnation"] != before
               && seen[id]["state"] == "up";
      }))
        << id;
    });
  report("SIGSTOP, by the lease alone", 3.5);
  EXPECT_GE(times_.front(), 2.0); // before that it may serve
}

INSTANTIATE_TEST_SUITE_P(on, takeover,
                         ::testing::ValuesIn(test::shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::testing
