// Where messages come from: brokers of MQTT and NATS, behind one interface. A
// source keeps the connection and the broker's protocol, and knows nothing of
// what a message does; a sink knows that, and nothing of brokers.
//
// A source hands over at most so many messages at a time as its subscription
// says: that is how a target that is slow holds the broker back. It tells the
// broker that a message is done only once the sink says so, and the sink says so
// once its effect is durable. A message that was handed over and not answered is
// still the broker's, and comes again.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/errors.hpp"
#include "actors/core/payload.hpp"

namespace troupe {

/// A message as it came.
struct incoming_message {
  /// Topic or subject, as it was published.
  std::string topic;

  /// Its content type is empty unless the broker brought one.
  payload body;

  /// Headers of NATS, user properties of MQTT 5; of several with one name the
  /// last.
  std::map<std::string, std::string, std::less<>> properties{};

  /// The broker's own name for it, the same in every delivery; empty if it has
  /// none.
  std::string position{};

  /// How often it was delivered, this time included, as far as the broker says.
  uint64_t deliveries = 1;

  /// Somebody waits for the answer, and is told that nobody is there yet who would
  /// give one; the message may be called later all the same. Called once at most,
  /// on any thread, before the verdict; must not block. Empty: nobody waits.
  std::function<void(const error&)> on_absence{};
};

/// What the broker is to be told.
enum class message_fate : uint8_t {
  /// Its effect is durable, or it is a dead letter: the broker may forget it.
  done,
  /// The broker keeps it, and brings it again.
  give_back,
};

struct message_verdict {
  message_fate fate = message_fate::give_back;

  /// What the target answered, if it did.
  std::optional<payload> answer{};

  /// Else why there is no answer: who waits for one is told.
  std::optional<error> failure{};
};

/// Takes messages. Thread-safe.
class message_sink {
public:
  virtual ~message_sink() = default;

  using callback = std::function<void(message_verdict)>;

  /// Takes one; those of one source in the order of the calls. Never blocks.
  /// `done` is called once, on any thread, maybe before this returns, and must
  /// not block.
  virtual void take(incoming_message message, callback done) = 0;
};

enum class source_state : uint8_t {
  /// Not started, or ended.
  stopped,
  /// On its way to the broker, or waiting before the next try.
  connecting,
  connected,
};

/// "stopped", "connecting" or "connected".
constexpr std::string_view to_string(source_state x) noexcept {
  switch (x) {
  case source_state::stopped:
    return "stopped";
  case source_state::connecting:
    return "connecting";
  case source_state::connected:
    return "connected";
  }
  return "stopped";
}

/// A source as an operator sees it. Counts are since the program started.
struct source_status {
  source_state state = source_state::stopped;

  /// Messages handed over, and those of them that came again.
  uint64_t delivered = 0;
  uint64_t redelivered = 0;

  /// Messages that the broker was told to forget, or was given back.
  uint64_t acknowledged = 0;
  uint64_t given_back = 0;

  /// Connections that were made.
  uint64_t connections = 0;

  /// Handed over and not answered yet.
  uint64_t in_flight = 0;

  /// Messages at the broker that were not delivered yet, if it tells.
  std::optional<uint64_t> lag{};

  /// Why the last connection failed or ended; empty: none did.
  std::string last_error{};
};

/// Thread-safe. Its sink outlives it.
class message_source {
public:
  virtual ~message_source() = default;

  /// Connects, and from then on hands messages over; when the connection ends,
  /// it makes another. @pre it was not started before
  virtual void start() = 0;

  /// Takes no more messages, waits until those in flight are answered, for
  /// `patience` at most, and ends the connection. What is not answered by then
  /// is the broker's again.
  virtual void stop(std::chrono::milliseconds patience) = 0;

  /// Takes no more messages, and asks the broker, if it is there, to collect no
  /// more for this subscription; what it has collected before stays there.
  /// Returns at once: `stop` follows, and waits for it as for an answer.
  virtual void unsubscribe() {}

  virtual source_status status() const = 0;
};

} // namespace troupe
