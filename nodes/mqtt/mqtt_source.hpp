// A subscription's source at a broker of MQTT: one connection at a time, made
// anew with pauses when it ends, on a thread of its own.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "actors/core/message_source.hpp"
#include "actors/messages/subscription.hpp"
#include "nodes/connection_watch.hpp"

namespace troupe {

class mqtt_source final : public message_source {
public:
  /// @param sink outlives it
  /// @param watch is called on the source's own threads; may be empty
  /// @param warn as well, with what an operator should look at, as a sentence
  mqtt_source(subscription what, message_sink& sink,
              connection_observer watch = {},
              std::function<void(const std::string&)> warn = {});

  mqtt_source(const mqtt_source&) = delete;

  ~mqtt_source() override;

  void start() override;

  void stop(std::chrono::milliseconds patience) override;

  void unsubscribe() override;

  source_status status() const override;

private:
  class engine;

  std::shared_ptr<engine> engine_;
  std::thread thread_;
};

} // namespace troupe
