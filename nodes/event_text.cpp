#include "nodes/event_text.hpp"

#include <optional>
#include <stdexcept>
#include <string_view>

#include "nodes/option_fields.hpp"

namespace troupe {

namespace {

std::optional<event_pattern> parse_pattern(const std::string& text) {
  auto result = event_pattern::parse(text);
  if (!result)
    throw std::invalid_argument{result.reason()};
  return *result;
}

bool parse_argument(const std::string& text) {
  if (text != "event" && text != "data")
    throw std::invalid_argument{"'" + text + "' is none of data, event"};
  return text == "event";
}

std::optional<work_destination> parse_destination(const std::string& text) {
  auto result = work_destination::parse(text);
  if (!result)
    throw std::invalid_argument{result.error().message()};
  return *result;
}

void read_target(option_fields& from, message_target& to) {
  auto function = from.take("function");
  auto colon = function.find(':');
  to.function = function.substr(0, colon);
  if (colon != function.npos)
    to.qualifier = function.substr(colon + 1);
  to.service = from.take("service");
  to.method = from.take("method");
  to.key = from.take("fixed-key");
}

constexpr std::string_view field_names[] = {
  "type",   "source", "subject", "function",  "service",
  "method", "to",     "key",     "fixed-key", "argument"};

} // namespace

event_rule parse_event_rule(const std::string& text) {
  auto equals = text.find('=');
  if (equals == text.npos || equals == 0)
    throw std::invalid_argument{
      "'" + text
      + "' is no rule; write NAME=type:PATTERN,function:F or "
        "NAME=source:/a/{key},service:S,method:M or "
        "NAME=type:PATTERN,to:URL"};
  option_fields from{text.substr(equals + 1)};
  from.expect_only(field_names);
  event_rule result{.name = text.substr(0, equals)};
  from.take("type", result.type, parse_pattern);
  from.take("source", result.source, parse_pattern);
  from.take("subject", result.subject, parse_pattern);
  read_target(from, result.target);
  from.take("to", result.outside, parse_destination);
  result.key_attribute = from.take("key");
  from.take("argument", result.takes_event, parse_argument);
  from.expect_none();
  if (auto good = result.validate(); !good)
    throw std::invalid_argument{good.error().message()};
  return result;
}

} // namespace troupe
