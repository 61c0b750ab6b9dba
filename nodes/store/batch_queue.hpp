// What waits for a thread of the store. The thread takes all that is there up
// to a batch, so that the work costs one turn for many who wait, and nobody
// waits for a timer.

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace troupe {

/// Bounded. Many threads may push, one pops.
template <class T>
class batch_queue {
public:
  /// @param limit how many wait at most
  explicit batch_queue(size_t limit) : limit_(limit) {}

  /// Takes `x`. False if it is full or closed; then `x` is as it was.
  [[nodiscard]] bool push(T& x) { return put(x, false); }

  /// The same, ahead of all that waits, also if it is full.
  [[nodiscard]] bool push_first(T& x) { return put(x, true); }

  /// Waits for something; false if it is closed and nothing is left.
  bool wait() {
    std::unique_lock guard{mutex_};
    wake_.wait(guard, [this] { return closed_ || !waiting_.empty(); });
    return !waiting_.empty();
  }

  /// Waits for something and fills `batch` with what is there, `most` at most.
  /// False if it is closed and nothing is left.
  bool pop(std::vector<T>& batch, size_t most) {
    batch.clear();
    std::unique_lock guard{mutex_};
    wake_.wait(guard, [this] { return closed_ || !waiting_.empty(); });
    return take(batch, most) > 0;
  }

  /// The same, but for so long: then `batch` is empty.
  bool pop_within(std::vector<T>& batch, size_t most,
                  std::chrono::milliseconds time) {
    batch.clear();
    std::unique_lock guard{mutex_};
    wake_.wait_for(guard, time,
                   [this] { return closed_ || !waiting_.empty(); });
    return take(batch, most) > 0 || !closed_;
  }

  /// Whether nothing more comes in.
  bool is_closed() {
    std::lock_guard guard{mutex_};
    return closed_;
  }

  /// Nothing more comes in; what is there is still taken.
  void close() {
    {
      std::lock_guard guard{mutex_};
      closed_ = true;
    }
    wake_.notify_all();
  }

private:
  /// @pre the mutex is held
  size_t take(std::vector<T>& batch, size_t most) {
    auto count = static_cast<std::ptrdiff_t>(std::min(most, waiting_.size()));
    auto first = waiting_.begin();
    std::move(first, first + count, std::back_inserter(batch));
    waiting_.erase(first, first + count);
    return static_cast<size_t>(count);
  }

  bool put(T& x, bool first) {
    bool was_empty;
    {
      std::lock_guard guard{mutex_};
      if (closed_ || (waiting_.size() >= limit_ && !first))
        return false;
      was_empty = waiting_.empty();
      waiting_.insert(first ? waiting_.begin() : waiting_.end(), std::move(x));
    }
    if (was_empty) // else it is awake, or about to be
      wake_.notify_one();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<T> waiting_;
  size_t limit_;
  bool closed_ = false;
};

} // namespace troupe
