#include "actors/work/group_spec.hpp"

#include <optional>

#include "actors/core/base64.hpp"
#include "actors/core/codec.hpp"
#include "actors/core/json_pieces.hpp"
#include "actors/core/module.hpp"
#include "actors/core/outside.hpp"
#include "actors/work/schedule_spec.hpp"

namespace troupe {

namespace {

/// The input of a call is in its object, in an array, in that of the group.
constexpr size_t spec_depth = json_depth_max + 3;

[[noreturn]] void refuse(const std::string& why) {
  throw error_exception{{errc::bad_request, why}};
}

/// Arguments as a group or a call of it names them.
struct given_arguments {
  std::optional<std::string_view> json{};
  std::optional<std::string> base64{};
  std::string content_type{};

  bool is_given() const { return json || base64 || !content_type.empty(); }
};

std::string text_of(std::string_view x, const std::string& member) {
  if (first_of(x) != '"')
    refuse("'" + member + "' of a group is a text");
  return parse_json(x).get<std::string>();
}

uint64_t number_of(std::string_view x, const std::string& member,
                   uint64_t least, uint64_t most) {
  auto value = parse_json(x);
  if (!value.is_number_unsigned() || value.get<uint64_t>() < least
      || value.get<uint64_t>() > most)
    refuse("'" + member + "' of a group is " + std::to_string(least) + " to "
           + std::to_string(most));
  return value.get<uint64_t>();
}

bool read_arguments(const std::string& name, std::string_view x,
                    given_arguments& to) {
  if (name == "input")
    to.json = x;
  else if (name == "inputBase64")
    to.base64 = text_of(x, name);
  else if (name == "contentType")
    to.content_type = text_of(x, name);
  else
    return false;
  return true;
}

payload to_payload(given_arguments x) {
  if (x.json && x.base64)
    refuse("there is 'input' or 'inputBase64', not both");
  if (!x.base64 && !x.content_type.empty())
    refuse("'contentType' is of 'inputBase64': 'input' is JSON");
  if (x.base64) {
    auto bytes = from_base64(*x.base64);
    if (!bytes)
      refuse("'inputBase64' is no base64");
    return {std::move(*bytes), x.content_type.empty()
                                 ? "application/octet-stream"
                                 : std::move(x.content_type)};
  }
  if (!x.json || *x.json == "null")
    return {};
  return {std::string{*x.json}, "application/json"};
}

struct read_call {
  group_call call;
  given_arguments arguments;
};

read_call parse_call(std::string_view text) {
  if (first_of(text) != '{')
    refuse("a call of a group is an object with a target");
  read_call result;
  for (auto& [name, x] : single_members_of(text, "a call of a group")) {
    if (name == "target")
      result.call.target = parse_work_target(text_of(x, name));
    else if (name == "routingKey")
      result.call.routing_key = text_of(x, name);
    else if (!read_arguments(name, x, result.arguments))
      refuse("a call of a group has no '" + name
             + "': it has target, input (or inputBase64 and contentType) and "
               "routingKey");
  }
  auto& to = result.call;
  if (to.target.name.empty())
    refuse("a call of a group has a target");
  if (!to.routing_key.empty()
      && (to.target.is_entity() || !is_valid_key(to.routing_key)))
    refuse("a routing key is for functions, and 1 to 512 bytes of UTF-8");
  return result;
}

std::vector<read_call> parse_calls(std::string_view text) {
  if (first_of(text) != '[')
    refuse("'calls' of a group is an array");
  auto parts = elements_of(text);
  if (parts.empty() || parts.size() > defaults::work::group_calls_max)
    refuse("a group has 1 to " + std::to_string(defaults::work::group_calls_max)
           + " calls");
  std::vector<read_call> result;
  for (auto x : parts)
    result.push_back(parse_call(x));
  return result;
}

/// One, or an array of them.
std::vector<work_target> parse_targets(std::string_view text,
                                       const std::string& member) {
  if (first_of(text) != '[')
    return {parse_group_destination(text_of(text, member))};
  std::vector<work_target> result;
  for (auto x : elements_of(text))
    result.push_back(parse_group_destination(text_of(x, member)));
  if (result.size() > defaults::work::group_destinations_max)
    refuse("'" + member + "' of a group is "
           + std::to_string(defaults::work::group_destinations_max)
           + " targets at most");
  return result;
}

group_join join_of(const std::string& text) {
  auto result = parse_group_join(text);
  if (!result)
    refuse("'join' of a group is all or any");
  return *result;
}

void check_size(const std::vector<group_call>& calls) {
  size_t sum = 0;
  for (auto& x : calls) {
    if (x.arguments.bytes.size() > defaults::work::payload_max)
      throw error_exception{{errc::payload_too_large,
                             "a call takes "
                               + std::to_string(defaults::work::payload_max)
                               + " bytes at most"}};
    sum += x.arguments.bytes.size();
  }
  if (sum > defaults::service::sent_bytes)
    throw error_exception{{errc::payload_too_large,
                           "all calls of a group take "
                             + std::to_string(defaults::service::sent_bytes)
                             + " bytes at most"}};
}

} // namespace

work_target parse_group_destination(const std::string& text) {
  return looks_outside(text) ? parse_outside(text).value()
                             : parse_work_target(text);
}

group_spec group_spec::parse(std::string_view text) {
  check_json(text, spec_depth);
  if (first_of(text) != '{')
    refuse("a group is a JSON object");
  group_spec result;
  std::vector<read_call> calls;
  given_arguments common;
  for (auto& [name, x] : single_members_of(text, "a group")) {
    if (name == "calls")
      calls = parse_calls(x);
    else if (name == "join")
      result.join = join_of(text_of(x, name));
    else if (name == "then")
      result.then = parse_targets(x, name);
    else if (name == "onFailure")
      result.on_failure = parse_targets(x, name);
    else if (name == "priority")
      result.priority =
        static_cast<uint8_t>(number_of(x, name, 0, work_priority_max));
    else if (name == "timeoutMs")
      result.timeout = std::chrono::milliseconds{number_of(
        x, name, 1, static_cast<uint64_t>(defaults::work::delay_max.count()))};
    else if (name == "steps")
      result.steps = static_cast<uint32_t>(
        number_of(x, name, 0, defaults::work::steps_max + 1));
    else if (!read_arguments(name, x, common))
      refuse("a group has no '" + name
             + "': it has calls, join, then, onFailure, input (or inputBase64 "
               "and contentType), priority and timeoutMs");
  }
  if (calls.empty())
    refuse("a group has calls");
  auto shared = to_payload(common);
  for (auto& x : calls) {
    x.call.arguments =
      x.arguments.is_given() ? to_payload(std::move(x.arguments)) : shared;
    result.calls.push_back(std::move(x.call));
  }
  check_size(result.calls);
  return result;
}

} // namespace troupe
