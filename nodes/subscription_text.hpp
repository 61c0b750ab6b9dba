// A subscription as an operator writes it, in one line:
//
//   meters=broker:mqtt://localhost,topic:sensors/{key}/temperature,
//          service:thermometer,method:report,identity:json:id
//
// A name, and fields with commas between them. So a value has no comma. As JSON
// it is an object of the same fields, whose values are texts or whole numbers.

#pragma once

#include <string>
#include <utility>

#include "actors/core/codec.hpp"
#include "actors/messages/subscription.hpp"
#include "actors/messages/subscription_book.hpp"

namespace troupe {

/// @throws std::invalid_argument that says what is wrong, or what is accepted
subscription parse_subscription(const std::string& text);

/// @throws std::invalid_argument as above
subscription parse_subscription(const std::string& name,
                                subscription_fields fields);

/// @throws std::invalid_argument if it is no object of texts and whole numbers
subscription_fields fields_from(const json& x);

/// The URL of a broker, and whether it speaks NATS.
/// @throws std::invalid_argument if it is none
std::pair<broker_address, bool> parse_broker(const std::string& url);

/// "mqtt://localhost:1883": the broker, without who asks.
std::string to_string(const broker_address& to, broker_kind kind);

} // namespace troupe
