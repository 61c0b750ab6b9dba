// Deadlines of calls in flight. Nearly every call is answered long before its
// deadline, so adding and removing must cost next to nothing and must hold no
// memory of its own: a hashed timing wheel (Varghese and Lauck, "Hashed and
// Hierarchical Timing Wheels", SOSP 1987, scheme 6) over hooks that live in the
// calls. CAF's own request time-outs are never cancelled when the answer comes.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

/// What an object brings along to be in a wheel. Not thread-safe; an object is
/// in at most one wheel, and leaves it before it dies.
class wheel_hook {
public:
  wheel_hook() = default;
  wheel_hook(const wheel_hook&) = delete;
  wheel_hook& operator=(const wheel_hook&) = delete;

  bool linked() const noexcept { return next_ != nullptr; }

private:
  friend class deadline_wheel;
  wheel_hook* next_ = nullptr;
  wheel_hook* prev_ = nullptr;
  uint64_t tick_ = 0;
};

/// Not thread-safe: each owner has its own, or guards it.
class deadline_wheel {
public:
  using clock = std::chrono::steady_clock;
  using time_point = clock::time_point;

  /// @param now where time starts; later times are relative to it.
  /// @param tick the resolution: nothing ends early, nor later than one tick
  ///        after its deadline if `expire` is called each tick.
  /// @param slots how many ticks one turn has; a power of two.
  explicit deadline_wheel(time_point now,
                          clock::duration tick = std::chrono::milliseconds{5},
                          size_t slots = 512);

  /// O(1). @pre `!hook.linked()`
  void add(wheel_hook& hook, time_point deadline) noexcept;

  /// O(1); nothing happens if it is in no wheel.
  void remove(wheel_hook& hook) noexcept;

  /// Removes every hook whose deadline is not after `now` and calls `f(hook)`
  /// for it. `f` may add and remove hooks.
  template <class F>
  size_t expire(time_point now, F f) {
    size_t count = 0;
    wheel_hook due;
    collect(now, due);
    while (due.next_ != &due) {
      auto& hook = *due.next_;
      unlink(hook);
      --size_;
      ++count;
      f(hook);
    }
    due.next_ = due.prev_ = nullptr;
    return count;
  }

  size_t size() const noexcept { return size_; }

  bool empty() const noexcept { return size_ == 0; }

  clock::duration tick() const noexcept { return tick_; }

  /// From `now` to the end of its tick, when the next `expire` is worth while.
  clock::duration until_next_tick(time_point now) const noexcept {
    return start_ + static_cast<int64_t>(tick_of(now) + 1) * tick_ - now;
  }

private:
  uint64_t tick_of(time_point t) const noexcept;
  void collect(time_point now, wheel_hook& due) noexcept;
  static void link(wheel_hook& list, wheel_hook& hook) noexcept;
  static void unlink(wheel_hook& hook) noexcept;

  time_point start_;
  clock::duration tick_;
  uint64_t mask_;
  uint64_t done_ = 0; // every tick up to here was collected
  size_t size_ = 0;
  std::vector<wheel_hook> slots_; // heads of circular lists
};

} // namespace troupe
