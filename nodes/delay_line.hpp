// Does something after a while, on a thread of its own. For what may wait long
// and must not be lost: at its end all that still waits is done at once.

#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace troupe {

/// Thread-safe.
class delay_line {
public:
  delay_line();

  delay_line(const delay_line&) = delete;

  ~delay_line();

  /// What is asked for once it ends is done at once, by the caller.
  void after(std::chrono::milliseconds time, std::function<void()> what);

private:
  using clock = std::chrono::steady_clock;

  void run();

  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::multimap<clock::time_point, std::function<void()>> waiting_;
  bool ends_ = false;
  std::thread thread_;
};

} // namespace troupe
