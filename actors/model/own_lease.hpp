// Until when a node may serve. A renewal is good from the moment when it was
// *sent*: whoever judges this node began to wait later than that, and waits for
// longer (peer_watch.hpp). So it has stopped before anybody takes its place,
// also if it was paused, if the answer took long, or if it never came.

#pragma once

#include <atomic>
#include <chrono>

#include "actors/model/boot_time.hpp"

namespace troupe {

/// One thread writes; any thread reads.
class own_lease {
public:
  explicit own_lease(std::chrono::nanoseconds length) : length_(length) {}

  /// A renewal that was sent at `sent` was done.
  void renewed(boot_time sent) noexcept;

  /// It is over, whatever was renewed.
  void end() noexcept;

  bool valid(boot_time now) const noexcept {
    return now.time_since_epoch().count()
           < until_ns_.load(std::memory_order_acquire);
  }

private:
  const std::chrono::nanoseconds length_;
  std::atomic<int64_t> until_ns_{0};
};

} // namespace troupe
