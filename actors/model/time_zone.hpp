// What clocks show somewhere. A zone is a row of periods in which clocks run at
// the same distance from UTC; where two periods meet, clocks are set.
// Everything about local times follows from that, and is computed here, so that
// whoever reads a zone database has one function to write
// (nodes/time_zones.hpp).

#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace troupe {

/// Between two moments at which clocks are set.
struct zone_period {
  /// The first moment; `sys_seconds::min()` if clocks were never set before.
  std::chrono::sys_seconds begin = std::chrono::sys_seconds::min();

  /// The first moment after it; `sys_seconds::max()` if they never will be.
  std::chrono::sys_seconds end = std::chrono::sys_seconds::max();

  /// What clocks show minus UTC; less than a day either way.
  std::chrono::seconds offset{0};

  std::chrono::local_seconds to_local(std::chrono::sys_seconds x) const {
    return std::chrono::local_seconds{x.time_since_epoch() + offset};
  }

  std::chrono::sys_seconds to_sys(std::chrono::local_seconds x) const {
    return std::chrono::sys_seconds{x.time_since_epoch() - offset};
  }
};

class time_zone {
public:
  virtual ~time_zone() = default;

  /// As the IANA database calls it: "Europe/Berlin".
  virtual const std::string& name() const = 0;

  /// The period that `x` is in.
  virtual zone_period period_at(std::chrono::sys_seconds x) const = 0;
};

using time_zone_ptr = std::shared_ptr<const time_zone>;

/// UTC: it needs no database.
time_zone_ptr utc_zone();

/// When clocks show `x`. If they show it twice: the first time. If they never
/// do, because they are set forward over it: the first moment after that.
std::chrono::sys_seconds moment_of(const time_zone& zone,
                                   std::chrono::local_seconds x);

} // namespace troupe
