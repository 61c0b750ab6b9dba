#include "nodes/mqtt/packet.hpp"

#include <utility>

namespace troupe::mqtt {

namespace {

// -- properties of MQTT 5 (2.2.2.2) --------------------------------------------

enum class property : uint8_t {
  payload_format = 0x01,
  message_expiry = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_id = 0x0b,
  session_expiry = 0x11,
  assigned_client_id = 0x12,
  server_keep_alive = 0x13,
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay = 0x18,
  request_response_information = 0x19,
  response_information = 0x1a,
  server_reference = 0x1c,
  reason_string = 0x1f,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_available = 0x28,
  subscription_id_available = 0x29,
  shared_available = 0x2a,
};

// -- writing -------------------------------------------------------------------

void put_u8(std::string& to, uint8_t x) {
  to += static_cast<char>(x);
}

void put_u16(std::string& to, uint16_t x) {
  put_u8(to, static_cast<uint8_t>(x >> 8));
  put_u8(to, static_cast<uint8_t>(x));
}

void put_u32(std::string& to, uint32_t x) {
  put_u16(to, static_cast<uint16_t>(x >> 16));
  put_u16(to, static_cast<uint16_t>(x));
}

void put_length(std::string& to, size_t x) {
  do {
    auto digit = static_cast<uint8_t>(x % 128);
    x /= 128;
    put_u8(to, static_cast<uint8_t>(digit | (x > 0 ? 0x80 : 0)));
  } while (x > 0);
}

void put_text(std::string& to, std::string_view x) {
  if (x.size() > UINT16_MAX)
    throw protocol_error{"a text of MQTT is at most 65535 bytes"};
  put_u16(to, static_cast<uint16_t>(x.size()));
  to += x;
}

void put(std::string& to, property what) {
  put_u8(to, static_cast<uint8_t>(what));
}

std::string packet(packet_type type, uint8_t flags, const std::string& body) {
  std::string result;
  put_u8(result, static_cast<uint8_t>(static_cast<uint8_t>(type) << 4 | flags));
  put_length(result, body.size());
  return result + body;
}

void put_properties(std::string& to, const std::string& properties) {
  put_length(to, properties.size());
  to += properties;
}

// -- reading -------------------------------------------------------------------

class reader {
public:
  explicit reader(std::string_view bytes) : bytes_(bytes) {}

  bool is_done() const noexcept { return bytes_.empty(); }

  uint8_t u8() { return static_cast<uint8_t>(take(1)[0]); }

  uint16_t u16() {
    auto high = u8();
    return static_cast<uint16_t>(high << 8 | u8());
  }

  uint32_t u32() {
    uint32_t high = u16();
    return high << 16 | u16();
  }

  size_t length() {
    size_t result = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      auto digit = u8();
      result |= size_t{digit & 0x7fu} << shift;
      if ((digit & 0x80) == 0)
        return result;
    }
    throw protocol_error{"a length is too long"};
  }

  std::string_view text() { return take(u16()); }

  std::string_view take(size_t size) {
    if (size > bytes_.size())
      throw protocol_error{"a packet is shorter than it says"};
    auto result = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return result;
  }

  std::string_view rest() { return std::exchange(bytes_, {}); }

private:
  std::string_view bytes_;
};

/// Calls `see(property, reader)`, which reads the value or leaves it: then it is
/// passed over.
template <class F>
void read_properties(reader& from, F see) {
  reader all{from.take(from.length())};
  while (!all.is_done()) {
    auto which = static_cast<property>(all.u8());
    if (see(which, all))
      continue;
    switch (which) {
    case property::payload_format:
    case property::request_problem_information:
    case property::request_response_information:
    case property::maximum_qos:
    case property::retain_available:
    case property::wildcard_available:
    case property::subscription_id_available:
    case property::shared_available:
      all.u8();
      break;
    case property::server_keep_alive:
    case property::receive_maximum:
    case property::topic_alias_maximum:
    case property::topic_alias:
      all.u16();
      break;
    case property::message_expiry:
    case property::session_expiry:
    case property::will_delay:
    case property::maximum_packet_size:
      all.u32();
      break;
    case property::subscription_id:
      all.length();
      break;
    case property::content_type:
    case property::response_topic:
    case property::correlation_data:
    case property::assigned_client_id:
    case property::authentication_method:
    case property::authentication_data:
    case property::response_information:
    case property::server_reference:
    case property::reason_string:
      all.text();
      break;
    case property::user_property:
      all.text();
      all.text();
      break;
    default:
      throw protocol_error{"there is an unknown property"};
    }
  }
}

/// What packets begin with that are about a filter.
std::string filter_of(protocol version, uint16_t id, std::string_view filter) {
  std::string body;
  put_u16(body, id);
  if (version == protocol::v5)
    put_properties(body, {});
  put_text(body, filter);
  return body;
}

} // namespace

// -- frames --------------------------------------------------------------------

void frame_reader::add(std::string_view bytes) {
  if (begin_ > 0) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
  bytes_ += bytes;
}

std::optional<frame> frame_reader::next() {
  auto there = std::string_view{bytes_}.substr(begin_);
  if (there.size() < 2)
    return std::nullopt;
  size_t size = 0;
  size_t at = 1;
  for (unsigned shift = 0;; shift += 7, ++at) {
    if (shift == 28)
      throw protocol_error{"the length of a packet is too long"};
    if (at == there.size())
      return std::nullopt;
    auto digit = static_cast<uint8_t>(there[at]);
    size |= size_t{digit & 0x7fu} << shift;
    if ((digit & 0x80) == 0)
      break;
  }
  ++at;
  if (size > size_max_)
    throw protocol_error{"a packet of " + std::to_string(size)
                         + " bytes is too large: at most "
                         + std::to_string(size_max_)};
  if (there.size() - at < size)
    return std::nullopt;
  auto first = static_cast<uint8_t>(there[0]);
  frame result{static_cast<packet_type>(first >> 4),
               static_cast<uint8_t>(first & 0x0f),
               std::string{there.substr(at, size)}};
  begin_ += at + size;
  return result;
}

// -- what a client sends -------------------------------------------------------

std::string encode(const connect& x) {
  constexpr uint8_t clean = 0x02;
  constexpr uint8_t has_will_of_qos_1 = 0x0c;
  constexpr uint8_t has_password = 0x40;
  constexpr uint8_t has_user = 0x80;
  std::string body;
  put_text(body, "MQTT");
  put_u8(body, static_cast<uint8_t>(x.version));
  uint8_t flags = x.clean_start ? clean : 0;
  if (!x.user.empty())
    flags |= has_user;
  if (!x.password.empty())
    flags |= has_password;
  if (!x.will_topic.empty())
    flags |= has_will_of_qos_1;
  put_u8(body, flags);
  put_u16(body, x.keep_alive_s);
  if (x.version == protocol::v5) {
    std::string properties;
    put(properties, property::session_expiry);
    put_u32(properties, x.session_expiry_s);
    put(properties, property::receive_maximum);
    put_u16(properties, x.receive_maximum);
    if (x.packet_size_max > 0) {
      put(properties, property::maximum_packet_size);
      put_u32(properties, x.packet_size_max);
    }
    put_properties(body, properties);
  }
  put_text(body, x.client_id);
  if (!x.will_topic.empty()) {
    if (x.version == protocol::v5)
      put_properties(body, {});
    put_text(body, x.will_topic);
    put_text(body, x.will);
  }
  if (!x.user.empty())
    put_text(body, x.user);
  if (!x.password.empty())
    put_text(body, x.password);
  return packet(packet_type::connect, 0, body);
}

std::string encode_subscribe(protocol version, uint16_t id,
                             std::string_view filter, uint8_t qos) {
  constexpr uint8_t retained_if_new = 0x10;
  constexpr uint8_t reserved = 0x02;
  auto body = filter_of(version, id, filter);
  put_u8(body, version == protocol::v5
                 ? static_cast<uint8_t>(qos | retained_if_new)
                 : qos);
  return packet(packet_type::subscribe, reserved, body);
}

std::string encode_unsubscribe(protocol version, uint16_t id,
                               std::string_view filter) {
  constexpr uint8_t reserved = 0x02;
  auto body = filter_of(version, id, filter);
  return packet(packet_type::unsubscribe, reserved, body);
}

std::string encode_ack(packet_type type, uint16_t id) {
  constexpr uint8_t reserved = 0x02;
  std::string body;
  put_u16(body, id);
  return packet(type, type == packet_type::pubrel ? reserved : 0, body);
}

std::string encode_ping() {
  return packet(packet_type::pingreq, 0, {});
}

std::string encode_disconnect(protocol) {
  // Without more it is a normal one, in both versions.
  return packet(packet_type::disconnect, 0, {});
}

std::string encode(protocol version, const publish& x) {
  std::string body;
  put_text(body, x.topic);
  if (x.qos > 0)
    put_u16(body, x.id);
  if (version == protocol::v5) {
    std::string properties;
    auto put_if = [&](property which, const std::string& value) {
      if (value.empty())
        return;
      put(properties, which);
      put_text(properties, value);
    };
    put_if(property::content_type, x.content_type);
    put_if(property::response_topic, x.response_topic);
    put_if(property::correlation_data, x.correlation);
    for (auto& [name, value] : x.properties) {
      put(properties, property::user_property);
      put_text(properties, name);
      put_text(properties, value);
    }
    put_properties(body, properties);
  }
  body += x.body;
  auto flags = static_cast<uint8_t>(x.qos << 1 | (x.retain ? 0x01 : 0)
                                    | (x.again ? 0x08 : 0));
  return packet(packet_type::publish, flags, body);
}

// -- what a client gets --------------------------------------------------------

connack read_connack(protocol version, std::string_view body) {
  reader from{body};
  connack result;
  result.session_present = (from.u8() & 0x01) != 0;
  result.reason = from.u8();
  if (version != protocol::v5 || from.is_done())
    return result;
  read_properties(from, [&](property which, reader& value) {
    if (which == property::server_keep_alive)
      result.keep_alive_s = value.u16();
    else if (which == property::maximum_qos)
      result.qos_max = value.u8();
    else if (which == property::receive_maximum)
      result.receive_maximum = value.u16();
    else if (which == property::maximum_packet_size)
      result.packet_size_max = value.u32();
    else if (which == property::reason_string)
      result.text = value.text();
    else
      return false;
    return true;
  });
  return result;
}

publish read_publish(protocol version, uint8_t flags, std::string_view body) {
  reader from{body};
  publish result;
  result.again = (flags & 0x08) != 0;
  result.qos = flags >> 1 & 0x03;
  result.retain = (flags & 0x01) != 0;
  if (result.qos > 2)
    throw protocol_error{"a message of QoS 3"};
  result.topic = from.text();
  if (result.topic.empty()) // we allow no aliases
    throw protocol_error{"a message without a topic"};
  if (result.qos > 0) {
    result.id = from.u16();
    if (result.id == 0)
      throw protocol_error{"a message with the id 0"};
  }
  if (version == protocol::v5)
    read_properties(from, [&](property which, reader& value) {
      if (which == property::content_type)
        result.content_type = value.text();
      else if (which == property::response_topic)
        result.response_topic = value.text();
      else if (which == property::correlation_data)
        result.correlation = value.text();
      else if (which == property::user_property) {
        std::string name{value.text()};
        result.properties[std::move(name)] = value.text();
      } else
        return false;
      return true;
    });
  result.body = from.rest();
  return result;
}

acknowledgment read_ack(protocol version, packet_type type,
                        std::string_view body) {
  reader from{body};
  acknowledgment result;
  result.id = from.u16();
  if (type == packet_type::suback) {
    if (version == protocol::v5)
      read_properties(from, [](property, reader&) { return false; });
    result.reason = from.u8();
  } else if (type != packet_type::unsuback && version == protocol::v5
             && !from.is_done()) {
    result.reason = from.u8();
  }
  return result;
}

uint8_t read_disconnect(std::string_view body) {
  return body.empty() ? 0 : static_cast<uint8_t>(body[0]);
}

} // namespace troupe::mqtt
