// Publishes to one broker of MQTT with QoS 1, on a thread of its own: many
// messages are under way, each is done when the broker has acknowledged it. The
// connection is made when there is something to publish, and ended when there was
// nothing for a while; nothing is kept at the broker.
//
// It speaks MQTT 5, and 3.1.1 with a broker that knows nothing else.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "actors/core/expected.hpp"
#include "actors/core/payload.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/mqtt/packet.hpp"

namespace troupe::mqtt {

struct publisher_options {
  /// Of one message, from when it is handed over.
  std::chrono::milliseconds timeout{30'000};

  /// Handed over and not answered yet; past it one more is refused.
  size_t waiting_max = 4096;

  /// Is told of a failure of this node's own, on its thread. May be empty.
  std::function<void(const std::string&)> on_fault{};
};

/// Thread-safe.
class publisher {
public:
  using options = publisher_options;
  /// The message for a version of the protocol; its QoS and its id are the
  /// publisher's.
  using composer = std::function<publish(protocol)>;

  using callback = std::function<void(expected<payload>)>;

  publisher(broker_address to, publisher_options options);

  publisher(const publisher&) = delete;

  /// As `stop`, without patience.
  ~publisher();

  /// Errors are those of `http_poster::post`.
  void send(composer what, callback done);

  /// What waits gets `patience`; then it is refused.
  void stop(std::chrono::milliseconds patience);

private:
  class engine;

  std::shared_ptr<engine> engine_;
  std::thread thread_;
};

} // namespace troupe::mqtt
