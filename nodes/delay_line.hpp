// Does something after a while, on a thread of its own. What still waits when it
// ends is done then, early.

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

  /// Does all that still waits, and returns when it is done.
  void end();

  /// What is asked for once it ends is dropped.
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
