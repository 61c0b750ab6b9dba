#include "nodes/delay_line.hpp"

#include <utility>

namespace troupe {

delay_line::delay_line() : thread_([this] { run(); }) {}

delay_line::~delay_line() {
  end();
}

void delay_line::end() {
  {
    std::lock_guard guard{mutex_};
    ends_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable())
    thread_.join();
}

void delay_line::after(std::chrono::milliseconds time,
                       std::function<void()> what) {
  std::lock_guard guard{mutex_};
  if (ends_)
    return;
  waiting_.emplace(clock::now() + time, std::move(what));
  changed_.notify_one();
}

void delay_line::run() {
  std::unique_lock guard{mutex_};
  for (;;) {
    if (waiting_.empty()) {
      if (ends_)
        return;
      changed_.wait(guard);
      continue;
    }
    auto first = waiting_.begin();
    if (!ends_ && first->first > clock::now()) {
      changed_.wait_until(guard, first->first);
      continue;
    }
    auto what = std::move(first->second);
    waiting_.erase(first);
    guard.unlock();
    what();
    guard.lock();
  }
}

} // namespace troupe
