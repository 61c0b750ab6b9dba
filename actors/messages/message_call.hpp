// What a message comes to, before anybody is called: its key, its argument, and
// what it is known by.

#pragma once

#include <string>

#include "actors/core/expected.hpp"
#include "actors/core/message_source.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/messages/subscription.hpp"

namespace troupe {

struct message_call {
  work_target target;
  payload arguments;

  /// Of a call of a function whose topic has a key.
  std::string routing_key{};

  /// W3C traceparent, from a property of that name; may be empty.
  std::string trace{};

  /// The same for each delivery of a message; empty: it has no identity.
  std::string identity{};

  friend bool operator==(const message_call&, const message_call&) = default;
};

/// Fails with `bad_request` if MQTT brings a topic that `what` does not take
/// (what NATS brings, its server has matched), the topic has no good key, the body is not the
/// JSON that it should be, or the identity is missing.
expected<message_call> read_message(const subscription& what,
                                    const incoming_message& message);

/// Why a message of `topic` is none for `what`, though its broker sent it.
std::string why_not_taken(const subscription& what, const std::string& topic);

/// The target of `what` with as much of a message as can be told without fault:
/// what a dead letter is filed under.
work_target target_of(const subscription& what,
                      const incoming_message& message);

/// The key under which a message calls an entity. As `work_key`, it is none that
/// a caller can have, and only what was done is recorded under it.
/// @param identity is not empty
std::string idempotency_key_of(const subscription& what,
                               const std::string& identity);

} // namespace troupe
