#include "nodes/subscription_text.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string_view>

#include "actors/core/defaults.hpp"
#include "actors/core/outside.hpp"
#include "nodes/option_fields.hpp"
#include "nodes/units.hpp"

namespace troupe {

namespace {

constexpr std::string_view field_names[] = {
  "broker",  "topic",         "function",  "service",     "method",
  "key",     "argument",      "identity",  "in-flight",   "attempts",
  "pause",   "pause-max",     "age",       "reply-topic", "group",
  "user",    "password-file", "ca",        "cert",        "cert-key",
  "version", "qos",           "client-id", "session",     "will-topic",
  "will",    "stream",        "durable",   "ack-wait"};

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument{what};
}

/// What begins the URL of a broker.
struct scheme {
  std::string_view text;
  bool is_nats;
  bool tls;
  uint16_t port;
};

constexpr scheme schemes[] = {
  {"mqtt://", false, false, 1883},
  {"mqtts://", false, true, 8883},
  {"nats://", true, false, 4222},
  {"tls://", true, true, 4222},
};

bool read_broker(const std::string& url, broker_address& to) {
  for (auto& x : schemes) {
    if (!url.starts_with(x.text))
      continue;
    auto rest = url.substr(x.text.size());
    if (rest.find('@') != rest.npos)
      refuse("broker: who asks does not belong into the URL: give user and "
             "password-file");
    auto colon = rest.rfind(':');
    auto has_port = colon != rest.npos && rest.find(']', colon) == rest.npos;
    to.host = rest.substr(0, has_port ? colon : rest.npos);
    to.port = x.port;
    if (has_port)
      to.port =
        static_cast<uint16_t>(parse_number(rest.substr(colon + 1), 1, 65'535));
    if (to.host.find('/') != to.host.npos)
      refuse("broker: '" + url + "' has a path");
    if (!is_host_name(to.host))
      refuse("broker: a host is letters, digits, '.', '-' and '_', or an "
             "address of IPv6 in brackets");
    if (to.host.starts_with('['))
      to.host = to.host.substr(1, to.host.size() - 2);
    to.tls = x.tls;
    return x.is_nats;
  }
  refuse("broker: '" + url
         + "' is none of mqtt://, mqtts://, nats:// and tls:// (NATS) with a "
           "host");
}

message_identity read_identity(const std::string& text) {
  using origin = message_identity::origin;
  if (text == "none")
    return {origin::none};
  if (text == "position")
    return {origin::position};
  if (text.starts_with("json:"))
    return {origin::json, text.substr(5)};
  if (text.starts_with("property:"))
    return {origin::property, text.substr(9)};
  refuse("'" + text + "' is none of json:FIELD, property:NAME, position, none");
}

uint8_t read_version(const std::string& text) {
  if (text == "3.1.1")
    return 4;
  if (text == "5")
    return 5;
  refuse("'" + text + "' is none of 3.1.1, 5");
}

void read_target(option_fields& from, message_target& to) {
  auto function = from.take("function");
  auto colon = function.find(':');
  to.function = function.substr(0, colon);
  if (colon != function.npos)
    to.qualifier = function.substr(colon + 1);
  to.service = from.take("service");
  to.method = from.take("method");
  to.key = from.take("key");
}

void read_login(option_fields& from, broker_address& to) {
  to.user = from.take("user");
  to.password_file = from.take("password-file");
  to.ca = from.take("ca");
  to.certificate = from.take("cert");
  to.key = from.take("cert-key");
}

void read_policy(option_fields& from, work_policy& to) {
  from.take("attempts", to.attempts_max, [](auto& x) {
    return parse_number(x, 1, defaults::work::attempts_max);
  });
  from.take("pause", to.pause, parse_duration);
  from.take("pause-max", to.pause_max, parse_duration);
  from.take("age", to.age_max, parse_duration);
}

void read_rest(option_fields& from, subscription& to) {
  from.take("in-flight", to.in_flight,
            [](auto& x) { return parse_number(x, 1, UINT32_MAX); });
  from.take("version", to.mqtt_version, read_version);
  from.take("qos", to.qos, [](auto& x) { return parse_number(x, 0, 2); });
  from.take("session", to.session, [](auto& x) {
    return std::chrono::floor<std::chrono::seconds>(parse_duration(x));
  });
  from.take("ack-wait", to.ack_wait, parse_duration);
  to.argument = from.take("argument");
  to.reply_topic = from.take("reply-topic");
  to.group = from.take("group");
  to.client_id = from.take("client-id");
  to.will_topic = from.take("will-topic");
  to.will = from.take("will");
  to.durable = from.take("durable");
}

/// Fields that mean something to some brokers alone.
struct partial_field {
  const char* name;
  bool mqtt;
  bool nats;
  bool jetstream;
};

constexpr partial_field partial_fields[] = {
  {"version", true, false, false},    {"qos", true, false, false},
  {"session", true, false, false},    {"client-id", true, false, false},
  {"will-topic", true, false, false}, {"will", true, false, false},
  {"group", true, true, false},       {"stream", false, true, true},
  {"durable", false, false, true},    {"ack-wait", false, false, true},
};

const char* who_knows(const partial_field& x) {
  if (x.mqtt)
    return x.nats ? "of MQTT, and of NATS without a stream" : "of MQTT";
  return x.nats ? "of NATS" : "of JetStream: it needs a stream";
}

/// What would be without a meaning was meant otherwise.
void refuse_fields_of_others(const option_fields& from, broker_kind kind) {
  for (auto& x : partial_fields) {
    auto is_known = kind == broker_kind::mqtt   ? x.mqtt
                    : kind == broker_kind::nats ? x.nats
                                                : x.jetstream;
    if (!is_known && from.has(x.name))
      refuse(std::string{x.name} + " is " + who_knows(x));
  }
}

/// A subject may have slashes, but who writes them alone means MQTT's levels.
void refuse_slashes(const std::string& subject) {
  if (subject.find('/') == subject.npos || subject.find('.') != subject.npos)
    return;
  auto meant = subject;
  std::replace(meant.begin(), meant.end(), '/', '.');
  refuse("topic: '" + subject + "': in NATS '.' separates, not '/': write "
         + meant);
}

broker_kind kind_of(const option_fields& from, bool is_nats) {
  if (!is_nats)
    return broker_kind::mqtt;
  return from.has("stream") ? broker_kind::jetstream : broker_kind::nats;
}

} // namespace

subscription parse_subscription(const std::string& text) {
  auto equals = text.find('=');
  if (equals == text.npos || equals == 0)
    refuse("'" + text
           + "' is no subscription; write NAME=broker:URL,topic:T,function:F "
             "or NAME=broker:URL,topic:T,service:S,method:M");
  return parse_subscription(text.substr(0, equals),
                            split_fields(text.substr(equals + 1)));
}

subscription parse_subscription(const std::string& name,
                                subscription_fields all) {
  option_fields from{std::move(all)};
  from.expect_only(field_names);
  broker_address broker;
  auto is_nats = read_broker(from.need("broker"), broker);
  auto kind = kind_of(from, is_nats);
  refuse_fields_of_others(from, kind);
  auto text = from.need("topic");
  if (is_nats)
    refuse_slashes(text);
  auto topic =
    topic_pattern::parse(text, is_nats ? topic_style::nats : topic_style::mqtt);
  if (!topic)
    refuse("topic: " + topic.reason());
  subscription result{.name = name, .topic = *topic};
  result.kind = kind;
  result.broker = std::move(broker);
  result.stream = from.take("stream");
  read_target(from, result.target);
  read_login(from, result.broker);
  read_policy(from, result.policy);
  read_rest(from, result);
  if (result.kind == broker_kind::jetstream && result.target.is_entity())
    result.identity.from = message_identity::origin::position;
  from.take("identity", result.identity, read_identity);
  from.expect_none();
  if (auto good = result.validate(); !good)
    refuse(good.error().message());
  return result;
}

subscription_fields fields_from(const json& x) {
  if (!x.is_object())
    refuse("a subscription is a JSON object of its fields");
  subscription_fields result;
  for (auto& [name, value] : x.items()) {
    if (!value.is_string() && !value.is_number_integer())
      refuse("the field '" + name + "' is a text or a whole number");
    auto text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.empty())
      refuse("the field '" + name + "' is empty");
    result.emplace(name, std::move(text));
  }
  return result;
}

std::pair<broker_address, bool> parse_broker(const std::string& url) {
  std::pair<broker_address, bool> result;
  result.second = read_broker(url, result.first);
  return result;
}

std::string to_string(const broker_address& to, broker_kind kind) {
  auto is_nats = kind != broker_kind::mqtt;
  std::string result;
  for (auto& x : schemes)
    if (x.is_nats == is_nats && x.tls == to.tls)
      result = x.text;
  auto is_v6 = to.host.find(':') != to.host.npos;
  return result + (is_v6 ? "[" + to.host + "]" : to.host) + ":"
         + std::to_string(to.port);
}

} // namespace troupe
