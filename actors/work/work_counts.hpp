// What a dispatcher did since its node started, for metrics.

#pragma once

#include <atomic>
#include <cstdint>

namespace troupe {

struct work_counts {
  /// Accepted here; of them those that began at once.
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> begun_at_once{0};

  /// Taken out of the queue, in so many fetches.
  std::atomic<uint64_t> claimed{0};
  std::atomic<uint64_t> fetches{0};

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
};

} // namespace troupe
