#include "nodes/mqtt/packet.hpp"

#include <gtest/gtest.h>
#include <random>

namespace troupe::mqtt {

namespace {

/// What a reader makes of `bytes`, which are one packet.
frame only_frame(const std::string& bytes) {
  frame_reader reader{1 << 20};
  reader.add(bytes);
  auto result = reader.next();
  EXPECT_TRUE(result);
  EXPECT_FALSE(reader.next());
  return result.value_or(frame{});
}

publish some_message(std::mt19937_64& random, protocol version) {
  auto text = [&](size_t most) {
    std::string result;
    for (auto n = random() % (most + 1); n > 0; --n)
      result += static_cast<char>('a' + random() % 26);
    return result;
  };
  publish x;
  x.topic = "t" + text(20);
  x.body = text(300);
  x.qos = static_cast<uint8_t>(random() % 3);
  x.retain = random() % 2;
  x.again = x.qos > 0 && random() % 2;
  x.id = x.qos > 0 ? static_cast<uint16_t>(1 + random() % 65'535) : 0;
  if (version == protocol::v5) {
    x.content_type = text(10);
    x.response_topic = text(10);
    x.correlation = text(10);
    for (auto n = random() % 4; n > 0; --n)
      x.properties["k" + text(4)] = text(6);
  }
  return x;
}

} // namespace

TEST(mqtt_packet, a_message_comes_out_as_it_went_in) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  for (int i = 0; i < 4'000; ++i) {
    auto version = i % 2 ? protocol::v5 : protocol::v3_1_1;
    auto x = some_message(random, version);
    auto there = only_frame(encode(version, x));
    ASSERT_EQ(there.type, packet_type::publish);
    ASSERT_EQ(read_publish(version, there.flags, there.body), x);
  }
}

TEST(mqtt_packet, packets_are_found_wherever_the_bytes_are_cut) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::vector<publish> sent;
  std::string bytes;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(some_message(random, protocol::v5));
    bytes += encode(protocol::v5, sent.back());
  }
  frame_reader reader{1 << 20};
  std::vector<publish> got;
  while (!bytes.empty()) {
    auto size = std::min<size_t>(bytes.size(), 1 + random() % 40);
    reader.add(bytes.substr(0, size));
    bytes.erase(0, size);
    while (auto next = reader.next())
      got.push_back(read_publish(protocol::v5, next->flags, next->body));
  }
  EXPECT_EQ(got, sent);
}

TEST(mqtt_packet, what_is_no_mqtt_is_refused_and_never_read_past_its_end) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto version = i % 2 ? protocol::v5 : protocol::v3_1_1;
    auto bytes = encode(version, some_message(random, version));
    for (auto n = 1 + random() % 4; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 2)
      bytes.resize(random() % bytes.size());
    frame_reader reader{1 << 20};
    reader.add(bytes);
    try {
      while (auto next = reader.next()) {
        read_publish(version, next->flags, next->body);
        read_connack(version, next->body);
        read_ack(version, packet_type::suback, next->body);
      }
    } catch (const protocol_error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(mqtt_packet, a_packet_past_the_limit_is_refused_before_it_has_come) {
  frame_reader reader{1000};
  publish x{.topic = "t", .body = std::string(2000, 'x')};
  reader.add(encode(protocol::v5, x).substr(0, 5));
  EXPECT_THROW(reader.next(), protocol_error);
}

TEST(mqtt_packet, connect_says_what_the_specification_wants) {
  connect x;
  x.version = protocol::v3_1_1;
  x.client_id = "ab";
  x.keep_alive_s = 30;
  x.user = "u";
  x.password = "p";
  EXPECT_EQ(encode(x), std::string("\x10\x14\x00\x04MQTT\x04\xc0\x00\x1e"
                                   "\x00\x02"
                                   "ab\x00\x01u\x00\x01p",
                                   22));
}

} // namespace troupe::mqtt
