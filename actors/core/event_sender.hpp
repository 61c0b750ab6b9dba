// Tells somebody outside of an event. The dispatcher decides when, how often and
// what comes after it; whoever speaks HTTP, NATS or MQTT is behind this.

#pragma once

#include <functional>
#include <string>

#include "actors/core/cloud_event.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/payload.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// An event and who is to be told of it.
struct outgoing_event {
  /// @pre it is outside
  work_target to;

  /// The same in each attempt.
  cloud_event event;

  /// W3C traceparent; may be empty.
  std::string trace{};
};

/// Thread-safe, never blocks.
class event_sender {
public:
  virtual ~event_sender() = default;

  /// `done` is called once, on any thread, maybe before the function returns,
  /// and within a time that the sender sees to: with what is known of the
  /// delivery, as JSON, once whoever is told has said that it has the event. An
  /// error by which nothing was done and nothing will be (`is_final`) is for
  /// good; any other may be over in a while, and says so long how
  /// (`retry_after`).
  virtual void send(outgoing_event what,
                    std::function<void(expected<payload>)> done) = 0;
};

} // namespace troupe
