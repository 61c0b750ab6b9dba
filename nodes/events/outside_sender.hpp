// Tells somebody outside of events: HTTP servers, subjects of NATS, topics of
// MQTT; see core/outside.hpp. Each server of NATS or MQTT has a connection of its
// own, made when there is something for it.

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "actors/core/event_sender.hpp"
#include "nodes/events/http_poster.hpp"
#include "nodes/events/receiver_login.hpp"
#include "nodes/mqtt/publisher.hpp"
#include "nodes/nats/publisher.hpp"

namespace troupe {

/// Each way to send has threads of its own, so that a server that hangs is no
/// matter of actors. What is sent is an event in binary mode; with MQTT 3.1.1,
/// which has no properties, in structured mode.
class outside_sender final : public event_sender {
public:
  /// By scheme and host; who is not there is spoken to by nobody in particular.
  using logins = std::map<std::string, receiver_login>;

  using fault_log = std::function<void(const std::string&)>;

  /// @param timeout of one attempt
  /// @param on_fault is told of failures of this node's own, on any thread; may
  /// be empty
  outside_sender(std::chrono::milliseconds timeout, logins known,
                 fault_log on_fault = {});

  void send(outgoing_event what,
            std::function<void(expected<payload>)> done) override;

  /// What is under way gets `patience`; nothing is sent after it.
  void stop(std::chrono::milliseconds patience);

private:
  using callback = std::function<void(expected<payload>)>;

  void post(outgoing_event what, callback done);
  void publish_nats(outgoing_event what, callback done);
  void publish_mqtt(outgoing_event what, callback done);

  receiver_login login_of(const std::string& lane) const;

  /// The one for that server; null once this is stopped.
  template <class Publisher>
  Publisher*
  publisher_of(std::map<std::string, std::unique_ptr<Publisher>>& all,
               const std::string& url);

  const std::chrono::milliseconds timeout_;
  const logins logins_;
  const fault_log on_fault_;
  http_poster http_;
  std::mutex mutex_; // guards what follows
  bool is_stopped_ = false;
  std::map<std::string, std::unique_ptr<nats::publisher>> nats_;
  std::map<std::string, std::unique_ptr<mqtt::publisher>> mqtt_;
};

} // namespace troupe
