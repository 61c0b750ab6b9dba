// What somebody asks for who has several calls made whose outcomes belong
// together: the body of POST /groups, and what a pipeline asks for at a join.

#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/defaults.hpp"
#include "actors/core/group_join.hpp"
#include "actors/core/payload.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// As `parse_work_target` does, or somebody outside.
/// @throws error_exception `bad_request` if it is none of them
work_target parse_group_destination(const std::string& text);

/// One of the calls.
struct group_call {
  work_target target;

  /// Of a function.
  std::string routing_key{};

  payload arguments{};

  friend bool operator==(const group_call&, const group_call&) = default;
};

struct group_spec {
  std::vector<group_call> calls;

  group_join join = group_join::all;

  /// What is called with the outcome, and what is told of a failure.
  std::vector<work_target> then{};
  std::vector<work_target> on_failure{};

  uint8_t priority = work_priority_default;

  /// After so long it has failed.
  std::chrono::milliseconds timeout = defaults::work::group_timeout;

  /// How many lie before it in its pipeline.
  uint32_t steps = 0;

  /// Reads a JSON object. Arguments stay the text that they came as.
  /// @throws error_exception `bad_request` if a member is missing, unknown or
  ///         wrong; `payload_too_large` for more than one transaction takes
  static group_spec parse(std::string_view text);

  friend bool operator==(const group_spec&, const group_spec&) = default;
};

} // namespace troupe
