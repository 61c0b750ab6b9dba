// What became of the locks that were asked for at one node: the numbers of its
// metrics. Who holds a lock is in the store; here is only what this node saw of
// its own grants, so one that another node released or renewed is counted by
// what it was granted for.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "actors/core/interfaces.hpp"
#include "actors/core/lock_proof.hpp"

namespace troupe {

struct lock_stats {
  /// Grants of this node whose time is not over and that were not released;
  /// at most `lock_counts::held_max`.
  size_t held = 0;

  /// Those who wait now, or are being answered.
  size_t waiting = 0;
  uint64_t grants = 0;

  /// Requests that had to wait, whatever became of them.
  uint64_t waits = 0;

  /// Requests that somebody else's lock outlasted, those among them that were
  /// not willing to wait at all.
  uint64_t timeouts = 0;

  /// Renewals by one that did not hold the lock any more.
  uint64_t renewals_refused = 0;

  /// From the request to the grant, in sum, and as `call_stats::durations`.
  uint64_t waited_ns = 0;
  std::array<uint64_t, call_stats::buckets> waited{};
};

/// Thread-safe.
class lock_counts {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Grants that are watched at once; those past it are not seen as held.
  static constexpr size_t held_max = 65'536;

  /// Grants after which those whose time is over are looked for.
  static constexpr uint64_t tidy_interval = 1024;

  /// For `ttl` from `now` on.
  void granted(const lock_proof& x, time_point now,
               std::chrono::milliseconds ttl, std::chrono::nanoseconds waited);

  void waits();

  void timed_out(size_t count = 1);

  void renewed(const lock_proof& x, time_point until);

  void renewal_refused(const lock_proof& x);

  void released(const lock_proof& x);

  lock_stats read(time_point now);

private:
  void forget_late(time_point now);

  std::mutex mutex_; // guards what follows
  lock_stats stats_;
  std::map<lock_proof, time_point> held_; // until when
};

} // namespace troupe
