// Tells a program that is slow from a machine that stands still. Tests with
// limits of time run beside compilers, on virtual machines that share theirs:
// when even a thread that does nothing but sleep and write a few bytes comes much
// too late, what was measured meanwhile says nothing of the program.

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/temporary_folder.hpp"

namespace troupe::testing {

class machine_watch {
public:
  using clock = std::chrono::steady_clock;

  machine_watch() : thread_([this] { run(); }) {}

  machine_watch(const machine_watch&) = delete;

  ~machine_watch() {
    done_ = true;
    thread_.join();
  }

  /// The longest time for which nothing went on, since the last time that
  /// somebody asked.
  clock::duration longest_stop() {
    std::lock_guard guard{mutex_};
    // It may stand still at this moment.
    auto result = std::max(longest_, clock::now() - last_);
    longest_ = {};
    return result;
  }

private:
  static constexpr std::chrono::milliseconds interval{5};

  void run() {
    auto file = ::open((folder_.path() / "probe").c_str(),
                       O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (!done_) {
      std::this_thread::sleep_for(interval); // what is measured
      auto written = ::pwrite(file, "x", 1, 0);
      if (written != 1 || ::fdatasync(file) != 0)
        break;
      auto now = clock::now();
      std::lock_guard guard{mutex_};
      longest_ = std::max(longest_, now - last_);
      last_ = now;
    }
    ::close(file);
  }

  temporary_folder folder_;
  std::mutex mutex_; // guards what follows
  clock::time_point last_ = clock::now();
  clock::duration longest_{};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

} // namespace troupe::testing
