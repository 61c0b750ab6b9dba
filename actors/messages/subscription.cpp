#include "actors/messages/subscription.hpp"

#include <algorithm>

#include "actors/core/module.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;

constexpr uint32_t in_flight_max = 10'000;

/// What MQTT has for its receive maximum.
constexpr uint32_t mqtt_in_flight_max = 65'535;
static_assert(in_flight_max <= mqtt_in_flight_max);

error bad(std::string what) {
  return {errc::bad_request, std::move(what)};
}

/// Names of streams, consumers and groups, which NATS puts into subjects.
bool is_token(const std::string& x) {
  auto fits = [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '.' && c != '*' && c != '>' && c != '/'
           && c != '\\' && c != '+' && c != '#';
  };
  return !x.empty() && x.size() <= 128 && std::all_of(x.begin(), x.end(), fits);
}

expected<void> check_target(const subscription& x) {
  auto& to = x.target;
  if (to.is_entity() == !to.function.empty())
    return bad("give a function, or a service and a method");
  if (!to.is_entity()) {
    if (!to.method.empty() || !to.key.empty())
      return bad("a method and a key are of a service, not of a function");
    if (!is_valid_name(to.function))
      return bad("'" + to.function + "' is no name of a function");
    return {};
  }
  if (!is_valid_name(to.service))
    return bad("'" + to.service + "' is no name of a service");
  if (!is_valid_name(to.method))
    return bad("the service needs a method");
  if (x.topic.has_key() == !to.key.empty())
    return bad(
      "a service needs its key: {key} as a level of the topic, or key");
  if (!to.key.empty() && !is_valid_key(to.key))
    return bad("a key is 1 to 512 bytes of UTF-8");
  return {};
}

expected<void> check_identity(const subscription& x) {
  using origin = message_identity::origin;
  switch (x.identity.from) {
  case origin::none:
    return {};
  case origin::position:
    if (x.kind != broker_kind::jetstream)
      return bad("only JetStream numbers its messages: take another identity");
    break;
  case origin::json:
    if (x.identity.name.empty())
      return bad("identity json needs the name of a field");
    break;
  case origin::property:
    if (x.identity.name.empty())
      return bad("identity property needs a name");
    if (x.kind == broker_kind::mqtt && x.mqtt_version < 5)
      return bad("MQTT 3.1.1 has no user properties: take another identity");
    break;
  }
  if (!x.target.is_entity())
    return bad("an identity is of use to a service alone: a function keeps "
               "nothing by which it could know a message again");
  return {};
}

/// Neither spaces nor control characters, which no broker can be asked about.
bool is_visible(const std::string& x) {
  return std::none_of(x.begin(), x.end(),
                      [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

expected<void> check_broker(const broker_address& x) {
  if (x.host.empty() || x.port == 0)
    return bad("the broker needs a host and a port");
  if (!is_visible(x.user))
    return bad("user has no spaces and no control characters");
  for (auto file : {&x.password_file, &x.ca, &x.certificate, &x.key})
    if (file->find('\0') != file->npos)
      return bad("the name of a file has no zero in it");
  if (x.user.empty() && !x.password_file.empty())
    return bad("a password needs a user");
  if (x.certificate.empty() != x.key.empty())
    return bad("cert and key go together");
  if (!x.tls && !(x.ca.empty() && x.certificate.empty()))
    return bad("ca, cert and key are for a broker with TLS");
  return {};
}

bool is_topic(const std::string& text, broker_kind kind) {
  auto is_mqtt = kind == broker_kind::mqtt;
  auto style = is_mqtt ? topic_style::mqtt : topic_style::nats;
  auto topic = topic_pattern::parse(text, style);
  return topic && !topic->has_key()
         && text.find_first_of(is_mqtt ? "+#" : "*>") == text.npos;
}

expected<void> check_mqtt(const subscription& x) {
  if (x.mqtt_version != 4 && x.mqtt_version != 5)
    return bad("version is 3.1.1 or 5");
  if (x.qos > 2)
    return bad("qos is 0, 1 or 2");
  if (!x.stream.empty() || !x.durable.empty())
    return bad("stream and durable are of NATS");
  if (x.session < 1s || x.session > 24h * 366)
    return bad("session is from 1s to 8784h");
  if (x.client_id.size() > 256 || !is_visible(x.client_id))
    return bad("client-id is 256 bytes at most, without spaces and control "
               "characters");
  if (x.will_topic.empty() != x.will.empty())
    return bad("will-topic and will go together");
  if (!x.will_topic.empty() && !is_topic(x.will_topic, x.kind))
    return bad("will-topic '" + x.will_topic
               + "' is no topic: it has no wildcards");
  return {};
}

expected<void> check_nats(const subscription& x) {
  if (!x.client_id.empty() || !x.will_topic.empty() || !x.will.empty())
    return bad("client-id, will-topic and will are of MQTT");
  if (x.kind == broker_kind::nats) {
    if (!x.durable.empty())
      return bad("durable is of JetStream: it needs a stream");
    return {};
  }
  if (!x.group.empty())
    return bad("the nodes share a durable consumer: group is for subjects "
               "without a stream");
  if (!is_token(x.stream))
    return bad("'" + x.stream + "' is no name of a stream");
  if (!is_token(x.session_name()))
    return bad("'" + x.session_name() + "' is no name of a consumer");
  if (x.ack_wait < 1s || x.ack_wait > 1h)
    return bad("ack-wait is from 1s to 1h");
  return {};
}

expected<void> check_reply(const subscription& x) {
  if (x.reply_topic.empty())
    return {};
  if (!is_topic(x.reply_topic, x.kind))
    return bad("reply-topic '" + x.reply_topic
               + "' is no topic: it has no wildcards");
  if (x.topic.matches(x.reply_topic))
    return bad("the answers would come back as messages: reply-topic '"
               + x.reply_topic + "' is one of topic");
  return {};
}

} // namespace

std::string_view to_string(broker_kind x) noexcept {
  switch (x) {
  case broker_kind::mqtt:
    return "mqtt";
  case broker_kind::nats:
    return "nats";
  case broker_kind::jetstream:
    return "jetstream";
  }
  return "mqtt";
}

std::string subscription::session_name() const {
  auto& given = kind == broker_kind::mqtt ? client_id : durable;
  if (!given.empty())
    return given;
  return "troupe-" + (cluster.empty() ? "" : cluster + "-") + name;
}

bool subscription::shares_session_with(const subscription& x) const {
  return kind == x.kind && broker.host == x.broker.host
         && broker.port == x.broker.port && session_name() == x.session_name()
         && group == x.group && stream == x.stream
         && topic.filter() == x.topic.filter();
}

expected<void> subscription::validate() const {
  if (!is_valid_name(name))
    return bad("'" + name + "' is no name of A-Z, a-z, 0-9, _ and -");
  if (in_flight < 1 || in_flight > in_flight_max)
    return bad("in-flight is from 1 to " + std::to_string(in_flight_max));
  if (auto fault = policy.validate())
    return bad(*fault);
  if (!group.empty() && !is_token(group))
    return bad("'" + group + "' is no name of a group");
  auto of_broker = [](const subscription& x) { return check_broker(x.broker); };
  auto of_kind = [](const subscription& x) {
    return x.kind == broker_kind::mqtt ? check_mqtt(x) : check_nats(x);
  };
  for (auto check :
       {+of_broker, +of_kind, check_target, check_identity, check_reply})
    if (auto good = check(*this); !good)
      return good;
  return {};
}

} // namespace troupe
