// When a cron expression comes true somewhere: local times of a calendar become
// moments, and each is fired once or for a stated reason not at all. The rules
// for the days on which clocks are set stand in schedule.hpp.

#pragma once

#include <chrono>
#include <optional>

#include "actors/model/cron.hpp"
#include "actors/model/time_zone.hpp"

namespace troupe {

class cron_in_zone {
public:
  cron_in_zone(cron expression, time_zone_ptr zone);

  /// The first firing after `t`; nothing if there is none to the end of 2199.
  std::optional<std::chrono::sys_seconds>
  next_after(std::chrono::sys_seconds t) const;

private:
  std::chrono::local_seconds first_after(std::chrono::sys_seconds t,
                                         const zone_period& period) const;

  cron cron_;
  time_zone_ptr zone_;
};

} // namespace troupe
