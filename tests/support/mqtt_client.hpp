// A client of MQTT for tests: it publishes, waits for what is acknowledged, and
// reads what comes, one thing at a time.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "nodes/mqtt/packet.hpp"

namespace troupe::test {

class mqtt_client {
public:
  /// Connects to a broker of this machine.
  /// @throws std::runtime_error if it refuses
  explicit mqtt_client(uint16_t port, mqtt::connect who = default_client());

  mqtt_client(const mqtt_client&) = delete;

  mqtt_client& operator=(const mqtt_client&) = delete;

  ~mqtt_client();

  static mqtt::connect default_client();

  /// Returns when the broker has acknowledged it, in full with QoS 2.
  void publish(mqtt::publish message);

  void subscribe(const std::string& filter, uint8_t qos = 1);

  /// The next message, which is acknowledged; nothing if none comes in time.
  std::optional<mqtt::publish>
  receive(std::chrono::milliseconds time = std::chrono::seconds{20});

private:
  mqtt::frame read(mqtt::packet_type wanted);
  std::optional<mqtt::frame> read_any(std::chrono::milliseconds time);
  void send(const std::string& bytes);

  mqtt::protocol version_;
  int fd_ = -1;
  mqtt::frame_reader frames_{1 << 24};
  uint16_t last_id_ = 0;
};

} // namespace troupe::test
