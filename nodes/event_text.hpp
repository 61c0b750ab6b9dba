// A rule for events as an operator writes it, in one line:
//
//   alarms=type:com.example.alarm.*,source:/plant/{key},service:twin,method:alarm
//
// A name, and fields with commas between them. So a value has no comma.

#pragma once

#include <string>

#include "actors/messages/event_rule.hpp"

namespace troupe {

/// @throws std::invalid_argument that says what is wrong, or what is accepted
event_rule parse_event_rule(const std::string& text);

} // namespace troupe
