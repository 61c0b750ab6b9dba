#include "nodes/mqtt/packet.hpp"

namespace troupe::mqtt {

namespace {

const char* reason_of_3(uint8_t reason) noexcept {
  switch (reason) {
  case 1:
    return "it does not speak MQTT 3.1.1";
  case 2:
    return "it refuses the client id";
  case 3:
    return "it is not available";
  case 4:
    return "wrong user or password";
  case 5:
    return "not authorized";
  case 0x80:
    return "it refuses the subscription";
  default:
    return nullptr;
  }
}

const char* reason_of_5(uint8_t reason) noexcept {
  switch (reason) {
  case 0x80:
    return "unspecified error";
  case 0x81:
    return "malformed packet";
  case 0x82:
    return "protocol error";
  case 0x84:
    return "it does not speak MQTT 5";
  case 0x85:
    return "it refuses the client id";
  case 0x86:
    return "wrong user or password";
  case 0x87:
    return "not authorized";
  case 0x88:
    return "it is not available";
  case 0x89:
    return "it is busy";
  case 0x8b:
    return "it shuts down";
  case 0x8d:
    return "it heard nothing from this client";
  case 0x8e:
    return taken_over;
  case 0x8f:
    return "it refuses the filter";
  case 0x93:
    return "too many messages in flight";
  case 0x95:
    return "a packet is too large";
  case 0x97:
    return "a quota is exceeded";
  case 0x9e:
    return "it has no shared subscriptions";
  case 0xa2:
    return "it has no wildcards";
  default:
    return nullptr;
  }
}

} // namespace

std::string describe_reason(protocol version, uint8_t reason) {
  auto known =
    version == protocol::v5 ? reason_of_5(reason) : reason_of_3(reason);
  return known ? known : "reason " + std::to_string(reason);
}

} // namespace troupe::mqtt
