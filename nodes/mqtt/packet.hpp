// The packets of MQTT 3.1.1 and 5 that a client sends and gets, as bytes. No
// sockets here: what comes from a broker is checked here, and tested with bytes
// that no broker sends.
//
// Source: OASIS, "MQTT Version 3.1.1" (2014) and "MQTT Version 5.0" (2019).

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::mqtt {

/// As in CONNECT.
enum class protocol : uint8_t { v3_1_1 = 4, v5 = 5 };

enum class packet_type : uint8_t {
  connect = 1,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
  auth,
};

/// What came is no MQTT; the connection cannot go on.
struct protocol_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One packet: its first byte and what follows the length.
struct frame {
  packet_type type{};
  uint8_t flags = 0;
  std::string body;
};

/// Cuts what comes from a socket into packets.
class frame_reader {
public:
  /// @param size_max of a packet's body; a larger one is a `protocol_error`
  explicit frame_reader(size_t size_max) : size_max_(size_max) {}

  void add(std::string_view bytes);

  /// The next whole packet; nothing until more has come.
  std::optional<frame> next();

private:
  size_t size_max_;
  std::string bytes_;
  size_t begin_ = 0;
};

// -- what a client sends -------------------------------------------------------

struct connect {
  protocol version = protocol::v5;
  std::string client_id;

  /// The broker forgets what it kept of this client.
  bool clean_start = false;

  uint16_t keep_alive_s = 60;
  std::string user{};
  std::string password{};

  /// What the broker publishes with QoS 1 if this client is gone without a
  /// DISCONNECT; no topic: nothing.
  std::string will_topic{};
  std::string will{};

  // Of MQTT 5:
  uint32_t session_expiry_s = 0;
  uint16_t receive_maximum = 65'535;
  uint32_t packet_size_max = 0; // 0: none
};

std::string encode(const connect& x);

/// One filter. With MQTT 5 the broker sends retained messages only if it did not
/// have this subscription.
std::string encode_subscribe(protocol version, uint16_t id,
                             std::string_view filter, uint8_t qos);

/// One filter that the session is to collect for no more.
std::string encode_unsubscribe(protocol version, uint16_t id,
                               std::string_view filter);

/// PUBACK, PUBREC, PUBREL or PUBCOMP: all is well.
std::string encode_ack(packet_type type, uint16_t id);

std::string encode_ping();

/// A client that goes; the broker keeps its session.
std::string encode_disconnect(protocol version);

/// A message, in either direction.
struct publish {
  std::string topic;
  std::string body;
  uint8_t qos = 0;
  bool retain = false;
  bool again = false; // DUP
  uint16_t id = 0;    // unless `qos` is 0

  // Of MQTT 5:
  std::string content_type{};
  std::string response_topic{};
  std::string correlation{};
  std::map<std::string, std::string, std::less<>> properties{};

  friend bool operator==(const publish&, const publish&) = default;
};

std::string encode(protocol version, const publish& x);

// -- what a client gets --------------------------------------------------------

struct connack {
  bool session_present = false;

  /// 0: welcome.
  uint8_t reason = 0;

  /// Of MQTT 5; as the client asked for if it is not there.
  std::optional<uint16_t> keep_alive_s{};
  uint8_t qos_max = 2;

  /// What the broker takes: messages that it has not acknowledged, and bytes of a
  /// packet; nothing: it does not say.
  std::optional<uint16_t> receive_maximum{};
  std::optional<uint32_t> packet_size_max{};
  std::string text{};
};

/// The readers throw `protocol_error` for what is none of these.
connack read_connack(protocol version, std::string_view body);

publish read_publish(protocol version, uint8_t flags, std::string_view body);

/// Of SUBACK, UNSUBACK (its id alone), PUBACK, PUBREC, PUBREL, PUBCOMP.
struct acknowledgment {
  uint16_t id = 0;

  /// From 0x80 on it was refused.
  uint8_t reason = 0;
};

acknowledgment read_ack(protocol version, packet_type type,
                        std::string_view body);

/// The reason in a DISCONNECT of the broker.
uint8_t read_disconnect(std::string_view body);

/// What ends a connection when a client of the same id makes one.
constexpr const char* taken_over =
  "another client with this client-id took the connection: give it a client-id "
  "of its own";

/// "not authorized" and the like.
std::string describe_reason(protocol version, uint8_t reason);

} // namespace troupe::mqtt
