// What somebody asks for when a schedule is put: the body of PUT /schedules/{name}.

#pragma once

#include <string>

#include "actors/core/codec.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/model/missed_firings.hpp"

namespace troupe {

struct schedule_spec {
  /// `rate(...)`, `cron(...)` or `at(...)`; see model/schedule.hpp.
  std::string expression;

  /// Of the local times in it.
  std::string zone = "UTC";

  /// What is called.
  work_target target;

  /// With what: JSON; empty: without arguments.
  std::string input{};

  /// What becomes of firings that nobody was there for.
  missed_firings missed = missed_firings::once;

  uint8_t priority = work_priority_default;

  friend bool operator==(const schedule_spec&, const schedule_spec&) = default;

  /// Of `input`.
  static constexpr size_t input_max = size_t{256} << 10;
};

/// `add`, `add:live`, or `counter/visits/increment`; in a key there may be
/// slashes.
/// @throws error_exception `bad_request` if it is none of them
work_target parse_work_target(const std::string& text);

/// @throws error_exception `bad_request` if a member is missing, unknown or wrong
void from_json(const json& from, schedule_spec& to);

void to_json(json& to, const schedule_spec& from);

} // namespace troupe
