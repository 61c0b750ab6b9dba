// What a dispatcher did since its node started, for metrics.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "actors/core/interfaces.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

struct work_counts {
  /// By powers of two, as the durations of calls.
  static constexpr size_t buckets = call_stats::buckets;

  /// Accepted here; of them those that began at once.
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> begun_at_once{0};

  /// Taken out of the queue, in so many fetches.
  std::atomic<uint64_t> claimed{0};
  std::atomic<uint64_t> fetches{0};

  /// From when work was accepted, or was due if that is later, to when its first
  /// attempt began. Clocks of nodes differ, and both are whole milliseconds.
  std::array<std::atomic<uint64_t>, buckets> waited{};
  std::atomic<uint64_t> waited_ms{0};

  // What became of attempts:
  std::atomic<uint64_t> succeeded{0};
  std::atomic<uint64_t> retried{0};
  std::atomic<uint64_t> failed{0};
  std::atomic<uint64_t> dead{0};

  /// Attempts whose claim was gone when they ended.
  std::atomic<uint64_t> refused{0};

  /// Claims of nodes that are gone which this one gave back.
  std::atomic<uint64_t> given_back{0};

  /// What waited until it was too old.
  std::atomic<uint64_t> expired{0};

  void count_wait(std::chrono::milliseconds wait) noexcept;
};

} // namespace troupe
