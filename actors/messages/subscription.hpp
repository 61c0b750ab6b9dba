// A subscription as it was declared: which messages of which broker call what.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "actors/core/expected.hpp"
#include "actors/core/work_policy.hpp"
#include "actors/messages/topic_pattern.hpp"

namespace troupe {

/// What a message is known by, so that one that is delivered again changes an
/// entity once.
struct message_identity {
  enum class origin : uint8_t {
    /// Nothing: a message that comes again has its effect again.
    none,
    /// The broker's own: stream and sequence of JetStream.
    position,
    /// A text or a whole number in the body, which is JSON; `name` is its path:
    /// names between dots.
    json,
    /// A user property of MQTT 5, a header of NATS.
    property,
  };

  origin from = origin::none;
  std::string name{};

  friend bool operator==(const message_identity&,
                         const message_identity&) = default;
};

/// Who is called.
struct message_target {
  /// A function and its qualifier, which may be empty.
  std::string function{};
  std::string qualifier{};

  /// Or a method of an entity, whose key is that of the topic.
  std::string service{};
  std::string method{};

  /// The key if the topic has none.
  std::string key{};

  bool is_entity() const noexcept { return !service.empty(); }

  friend bool operator==(const message_target&,
                         const message_target&) = default;
};

/// What speaks with the broker.
enum class broker_kind : uint8_t {
  mqtt,
  /// Subjects of NATS without JetStream: what is published while nobody
  /// listens, or is lost on the way, does not come again.
  nats,
  jetstream,
};

/// "mqtt", "nats" or "jetstream".
std::string_view to_string(broker_kind x) noexcept;

/// How to reach a broker.
struct broker_address {
  std::string host;
  uint16_t port = 0;
  bool tls = false;

  std::string user{};

  /// The file whose first line is the password; secrets are no options.
  std::string password_file{};

  /// PEM files. The broker's CA (empty: those that the system trusts), and this
  /// client's certificate with its key, both or none.
  std::string ca{};
  std::string certificate{};
  std::string key{};

  friend bool operator==(const broker_address&,
                         const broker_address&) = default;
};

struct subscription {
  std::string name;
  broker_kind kind = broker_kind::mqtt;
  broker_address broker{};
  topic_pattern topic;
  message_target target{};
  message_identity identity{};

  /// The argument is this part of the body, which is JSON: names between dots.
  /// Empty: the whole body.
  std::string argument{};

  /// Messages handed over and not answered yet. Raise it where messages are for
  /// many keys; one at a time keeps the order even when calls fail.
  uint32_t in_flight = 64;

  /// Attempts and pauses before a message is a dead letter.
  work_policy policy{};

  /// The answers go to this topic of the same broker; empty: nowhere.
  std::string reply_topic{};

  /// Those with one group share the messages: a shared subscription of MQTT, a
  /// queue group of NATS. Empty: one connection in the cluster has all of them
  /// with MQTT, a group of all nodes with NATS.
  std::string group{};

  /// The name of the cluster, which is part of what sessions and groups are
  /// called by default; empty: that which clusters have by default.
  std::string cluster{};

  // -- of MQTT ---------------------------------------------------------------

  /// 4 is MQTT 3.1.1, 5 is MQTT 5.
  uint8_t mqtt_version = 5;

  uint8_t qos = 1;

  /// What the broker publishes when the owner is gone without a word, and where;
  /// no topic: nothing. A node that takes the subscription over ends the old
  /// connection so, too.
  std::string will_topic{};
  std::string will{};

  /// Names the session that the broker keeps; empty: made of the name.
  std::string client_id{};

  /// For how long the broker keeps the session of a client that is away; MQTT 5
  /// alone, before that brokers decide.
  std::chrono::seconds session{std::chrono::hours{7 * 24}};

  // -- of JetStream ----------------------------------------------------------

  std::string stream{};

  /// The durable consumer; empty: made of the name.
  std::string durable{};

  /// What is not answered and not said to be in progress for so long comes
  /// again, at whoever asks next.
  std::chrono::milliseconds ack_wait{5'000};

  /// Of one owner in the cluster, who moves when its node dies.
  bool has_one_owner() const noexcept {
    return kind == broker_kind::mqtt && group.empty();
  }

  /// `client_id` or `durable`, or what it is by default: troupe-NAME, and
  /// troupe-CLUSTER-NAME in a cluster that has a name of its own.
  std::string session_name() const;

  /// Whether the broker collects for both in one place: the session of MQTT and
  /// its filter, the durable consumer.
  bool shares_session_with(const subscription& other) const;

  /// Whether it can be done: `bad_request` with what makes no sense.
  expected<void> validate() const;

  friend bool operator==(const subscription&, const subscription&) = default;
};

} // namespace troupe
