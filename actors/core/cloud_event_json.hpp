// Events as JSON: one ("structured"), or an array of them ("batch"), as the JSON
// format of CloudEvents 1.0.2 has it.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/cloud_event.hpp"

namespace troupe {

inline constexpr std::string_view structured_event_type =
  "application/cloudevents+json";

inline constexpr std::string_view event_batch_type =
  "application/cloudevents-batch+json";

/// Fails with `bad_request` if it is no valid event. The data stays the text
/// that it was: numbers keep their digits.
expected<cloud_event> read_event(std::string_view text);

/// All of a batch, `most` at most, or none; the error says which is wrong.
expected<std::vector<cloud_event>> read_event_batch(std::string_view text,
                                                    size_t most);

/// @pre x is valid
std::string to_json(const cloud_event& x);

std::string to_json(const std::vector<cloud_event>& xs);

} // namespace troupe
