// What a dispatcher knows of schedules (schedule_service.hpp): which work is a call
// of one, and what the schedule hears of it.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "actors/core/codec.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// A call of a schedule that has failed for good.
struct schedule_failure {
  /// Of the call.
  std::string id;

  /// Without its message.
  std::string error_type;
};

void to_json(json& to, const schedule_failure& from);
void from_json(const json& from, schedule_failure& to);

/// The notes of work that is a call of a schedule.
std::string schedule_notes(std::string_view schedule);

/// Tells the schedule that `source`, a call of it, has failed for good. No ids,
/// times and limits are set; nothing if it is no such call.
std::optional<work_request> schedule_news(const work_item& source,
                                          const error& reason);

} // namespace troupe
