// What waits for a thread of the store. The thread takes all that is there up
// to a batch, so that the work costs one turn for many who wait, and nobody
// waits for a timer; but for what says that it can wait for company.

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
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
  [[nodiscard]] bool push(T& x) { return put(x, place::last); }

  /// The same, ahead of all that waits, also if it is full.
  [[nodiscard]] bool push_first(T& x) { return put(x, place::first); }

  /// The same for one that can wait for company.
  [[nodiscard]] bool push_patient(T& x) { return put(x, place::later); }

  /// Waits for something; false if it is closed and nothing is left.
  bool wait() {
    std::unique_lock guard{mutex_};
    wake_.wait(guard, [this] { return closed_ || !is_empty(); });
    return !is_empty();
  }

  /// Whether all that was taken last can wait for company.
  bool is_patient() {
    std::lock_guard guard{mutex_};
    return !took_urgent_ && !closed_;
  }

  /// Adds to `batch` what comes within `time`, or until there is something that
  /// cannot wait; up to `most` in all.
  void pop_more(std::vector<T>& batch, size_t most,
                std::chrono::microseconds time) {
    std::unique_lock guard{mutex_};
    waits_for_urgent_ = true;
    wake_.wait_for(guard, time, [this] { return closed_ || is_urgent_; });
    waits_for_urgent_ = false;
    take(batch, most - std::min(most, batch.size()));
  }

  /// Waits for something and fills `batch` with what is there, `most` at most.
  /// False if it is closed and nothing is left.
  bool pop(std::vector<T>& batch, size_t most) {
    batch.clear();
    std::unique_lock guard{mutex_};
    wake_.wait(guard, [this] { return closed_ || !is_empty(); });
    return take(batch, most) > 0;
  }

  /// The same, but for so long: then `batch` is empty.
  bool pop_within(std::vector<T>& batch, size_t most,
                  std::chrono::milliseconds time) {
    batch.clear();
    std::unique_lock guard{mutex_};
    wake_.wait_for(guard, time, [this] { return closed_ || !is_empty(); });
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
  enum class place { first, last, later };

  static constexpr size_t kept_capacity = 4096;

  // What follows needs the mutex.

  size_t size() const noexcept {
    return first_.size() + (turn_.size() - taken_) + waiting_.size();
  }

  bool is_empty() const noexcept { return size() == 0; }

  size_t take(std::vector<T>& batch, size_t most) {
    auto before = batch.size();
    for (; most > 0 && !first_.empty(); --most) {
      batch.push_back(std::move(first_.back()));
      first_.pop_back();
    }
    while (most > 0 && has_turn()) {
      auto count = std::min(most, turn_.size() - taken_);
      auto from = turn_.begin() + static_cast<std::ptrdiff_t>(taken_);
      std::move(from, from + static_cast<std::ptrdiff_t>(count),
                std::back_inserter(batch));
      taken_ += count;
      most -= count;
    }
    took_urgent_ = std::exchange(is_urgent_, is_urgent_ && !is_empty());
    return batch.size() - before;
  }

  /// There is something in `turn_` to take.
  bool has_turn() {
    if (taken_ < turn_.size())
      return true;
    turn_.clear();
    if (turn_.capacity() > kept_capacity)
      turn_.shrink_to_fit();
    taken_ = 0;
    turn_.swap(waiting_);
    return !turn_.empty();
  }

  bool put(T& x, place where) {
    bool wakes;
    {
      std::lock_guard guard{mutex_};
      if (closed_ || (size() >= limit_ && where != place::first))
        return false;
      auto was_empty = is_empty();
      auto hurries = where != place::later && !is_urgent_;
      is_urgent_ |= hurries;
      // Else it is awake, or about to be.
      wakes = hurries || (was_empty && !waits_for_urgent_);
      (where == place::first ? first_ : waiting_).push_back(std::move(x));
    }
    if (wakes)
      wake_.notify_one();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable wake_;

  /// What is ahead of all, the newest last; what came before the last swap, of
  /// which so much was taken; and what came since. They keep their memory, so that
  /// nothing is allocated for what comes, unless it is very much.
  std::vector<T> first_;
  std::vector<T> turn_;
  size_t taken_ = 0;
  std::vector<T> waiting_;
  size_t limit_;
  bool closed_ = false;

  /// Who pops waits for what cannot wait.
  bool waits_for_urgent_ = false;

  /// There is something that cannot wait for company; there was, when it was
  /// taken last.
  bool is_urgent_ = false;
  bool took_urgent_ = false;
};

} // namespace troupe
