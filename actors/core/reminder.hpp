// A reminder is work that an entity sends to itself, under a name: a method of it
// is called when the time has come. The entity keeps the names with the ids of
// their work; a call of which it does not know the id any more was replaced or
// forgotten, or has been made before, and is dropped.

#pragma once

#include <chrono>
#include <string_view>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// In the notes of work: it is a reminder.
inline constexpr std::string_view reminder_notes = R"({"reminder":true})";

inline bool is_reminder(const work_item& x) noexcept {
  return x.target.is_entity() && x.notes == reminder_notes;
}

/// What is to be done some day does not expire: who was away for long still has
/// it to do.
inline constexpr work_time never_expires =
  std::chrono::sys_days{std::chrono::year{2400} / 1 / 1};

/// No reminder is set for later.
inline constexpr work_time last_reminder =
  std::chrono::sys_days{std::chrono::year{2200} / 1 / 1};

} // namespace troupe
