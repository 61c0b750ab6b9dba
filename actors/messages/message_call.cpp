#include "actors/messages/message_call.hpp"

#include <cstdio>

#include "actors/core/codec.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/module.hpp"
#include "actors/model/fingerprint.hpp"
#include "actors/model/trace_parent.hpp"

namespace troupe {

namespace {

constexpr auto json_type = "application/json";

[[noreturn]] void refuse(std::string what) {
  throw error_exception{error{errc::bad_request, std::move(what)}};
}

/// What is under a path of names between dots.
const json& field(const json& body, const std::string& path) {
  auto at = &body;
  for (size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find('.', begin), path.size());
    auto name = path.substr(begin, end - begin);
    auto i = at->is_object() ? at->find(name) : at->end();
    if (i == at->end())
      refuse("the message has no field '" + path + "'");
    at = &*i;
    begin = end + 1;
  }
  return *at;
}

std::string identity_in(const json& body, const std::string& path) {
  auto& found = field(body, path);
  if (found.is_string() && !found.get_ref<const std::string&>().empty())
    return found.get<std::string>();
  if (found.is_number_integer())
    return found.dump();
  refuse("the identity '" + path
         + "' of a message is a text or a whole number");
}

std::string read_identity(const subscription& what,
                          const incoming_message& message, const json& body) {
  using origin = message_identity::origin;
  switch (what.identity.from) {
  case origin::none:
    return {};
  case origin::position:
    return message.position;
  case origin::json:
    return identity_in(body, what.identity.name);
  case origin::property: {
    auto i = message.properties.find(what.identity.name);
    if (i == message.properties.end() || i->second.empty())
      refuse("the message has no property '" + what.identity.name + "'");
    return i->second;
  }
  }
  return {};
}

std::string key_in(const subscription& what, const incoming_message& message) {
  if (!what.topic.has_key())
    return what.target.key;
  auto key = what.topic.key_of(message.topic);
  if (!key || !is_valid_key(*key))
    refuse("the topic '" + message.topic + "' has no key for '"
           + what.topic.text() + "': a key is 1 to 512 bytes of UTF-8");
  return *key;
}

payload arguments_from(const subscription& what, incoming_message message,
                       const json& body) {
  if (!what.argument.empty())
    return {dump_json(field(body, what.argument)), json_type};
  return std::move(message.body);
}

} // namespace

std::string why_not_taken(const subscription& what, const std::string& topic) {
  return "the subscription takes topic:" + what.topic.text() + ", not " + topic
         + "; its session at the broker still has another filter";
}

expected<message_call> read_message(const subscription& what,
                                    const incoming_message& message) {
  try {
    // What is not asked for must not vanish: its sender was told that it is here.
    if (what.kind == broker_kind::mqtt && !what.topic.matches(message.topic))
      refuse(why_not_taken(what, message.topic));
    json body;
    if (!what.argument.empty()
        || what.identity.from == message_identity::origin::json)
      body = parse_json(message.body.bytes);
    message_call result;
    auto key = key_in(what, message);
    auto& to = what.target;
    if (to.is_entity())
      result.target = {to.service, {}, std::move(key), to.method};
    else
      result.target = {to.function, to.qualifier};
    if (!to.is_entity())
      result.routing_key = std::move(key);
    result.identity = read_identity(what, message, body);
    result.arguments = arguments_from(what, message, body);
    if (auto i = message.properties.find("traceparent");
        i != message.properties.end() && is_trace_parent(i->second))
      result.trace = i->second;
    return result;
  } catch (const error_exception& e) {
    return e.reason();
  }
}

work_target target_of(const subscription& what,
                      const incoming_message& message) {
  auto& to = what.target;
  if (!to.is_entity())
    return {to.function, to.qualifier};
  auto key = what.topic.has_key()
               ? what.topic.key_of(message.topic).value_or("")
               : to.key;
  return {to.service, {}, is_valid_key(key) ? key : "?", to.method};
}

std::string idempotency_key_of(const subscription& what,
                               const std::string& identity) {
  auto plain = "work message " + what.name + " " + identity;
  auto is_printable = [](unsigned char c) { return c >= ' ' && c <= '~'; };
  if (plain.size() <= idempotency_key_length_max
      && std::all_of(plain.begin(), plain.end(), is_printable))
    return plain;
  std::string digits;
  for (unsigned char c : fingerprint({identity})) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", c);
    digits += pair;
  }
  return "work message " + what.name + " xxh3:" + digits;
}

} // namespace troupe
