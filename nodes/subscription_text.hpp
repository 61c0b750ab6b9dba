// A subscription as an operator writes it, in one line:
//
//   meters=broker:mqtt://localhost,topic:sensors/{key}/temperature,
//          service:thermometer,method:report,identity:json:id
//
// A name, and fields with commas between them. So a value has no comma.

#pragma once

#include <string>
#include <utility>

#include "actors/messages/subscription.hpp"

namespace troupe {

/// @throws std::invalid_argument that says what is wrong, or what is accepted
subscription parse_subscription(const std::string& text);

/// The URL of a broker, and whether it speaks NATS.
/// @throws std::invalid_argument if it is none
std::pair<broker_address, bool> parse_broker(const std::string& url);

/// "mqtt://localhost:1883": the broker, without who asks.
std::string to_string(const broker_address& to, broker_kind kind);

} // namespace troupe
