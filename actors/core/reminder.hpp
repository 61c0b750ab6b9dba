// A reminder is work that an entity sends to itself, under a name: a method of it
// is called when the time has come. The entity keeps the names with the ids of
// their work; a call of which it does not know the id any more was replaced or
// forgotten, or has been made before, and is dropped.

#pragma once

#include <chrono>
#include <string_view>

#include "actors/core/work_queue.hpp"

namespace troupe {

struct work_policy;

/// In the notes of work: it is a reminder.
inline constexpr std::string_view reminder_notes = R"({"reminder":true})";

inline bool is_reminder(const work_item& x) noexcept {
  return x.target.is_entity() && x.notes == reminder_notes;
}

/// So long after it is due it expires: who was away for long still has it to do.
inline constexpr std::chrono::days forever{146'097};

/// No reminder is set for later.
inline constexpr work_time last_reminder =
  std::chrono::sys_days{std::chrono::year{2200} / 1 / 1};

/// When work was to begin at first, before it was tried and put off: its pauses
/// grow from then on, and not while it waits for its time.
work_time first_due(const work_item& x, const work_policy& policy);

} // namespace troupe
