// What callers, the pool and one instance share, in cache lines of its own: the
// call that was handed over, the instance, and what the instance has measured.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/core/interfaces.hpp"

namespace troupe {

class instance;

/// Counters that one thread at a time writes and any thread reads.
class counter_cell {
public:
  void add(uint64_t x) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + x,
                 std::memory_order_relaxed);
  }

  uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<uint64_t> value_{0};
};

struct alignas(64) slot {
  // -- written by the pool while it owns the slot ----------------------------

  /// Empty if there never was an instance.
  caf::actor handle;

  /// What `handle` points to.
  instance* actor = nullptr;

  /// The pool has seen the end of the instance. `handle` stays until the slot is
  /// vacant: somebody who claimed it may be about to use it.
  bool ended = false;

  // -- the hand-over ---------------------------------------------------------

  /// The call for the instance, with a reference. Whoever exchanges it out owns
  /// it: the instance, or whoever finds that the instance is gone.
  std::atomic<invocation*> assigned{nullptr};

  /// The instance takes no call any more.
  std::atomic<bool> gone{false};

  /// The claim on the slot of an instance that is gone fell to the pool: once it
  /// has seen the end, it may put a new one here.
  std::atomic<bool> vacant{true};

  // -- written by the instance -----------------------------------------------

  /// Since when it is in the handler, in ns of the clock; 0: idle.
  std::atomic<int64_t> running_since{0};

  /// When its last call ended, in ns of the clock.
  std::atomic<int64_t> idle_since{0};

  /// See core/lending_credit.hpp. Read by whoever holds the slot.
  int32_t credit = 0;

  counter_cell calls;
  counter_cell failures;
  counter_cell late;
  counter_cell busy_ns;
  std::array<counter_cell, call_stats::buckets> durations;

  /// Counts one run of `ns`.
  void count(int64_t ns) noexcept;
};

} // namespace troupe
