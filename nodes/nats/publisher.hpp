// Publishes to one server of NATS, on a thread of its own: the C client waits.
// What comes together goes out together.
//
// A subject that a stream of JetStream takes is done once the stream has the
// message, which it takes once however often it comes; any other once the server
// has it, which hands it to whoever listens then.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "actors/core/payload.hpp"
#include "actors/messages/subscription.hpp"

namespace troupe::nats {

struct outgoing_message {
  std::string subject;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// By which a stream knows that it comes again.
  std::string id;
};

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
  using callback = std::function<void(expected<payload>)>;

  publisher(broker_address to, publisher_options options);

  publisher(const publisher&) = delete;

  /// As `stop`, without patience.
  ~publisher();

  /// Errors are those of `http_poster::post`. What comes of a stream is
  /// `{"stream","sequence"}`.
  void publish(outgoing_message what, callback done);

  /// What waits gets `patience`; then it is refused.
  void stop(std::chrono::milliseconds patience);

private:
  class engine;

  std::unique_ptr<engine> engine_;
};

} // namespace troupe::nats
