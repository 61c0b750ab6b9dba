// Messages of a real mosquitto that change entities of a real node.

#include <csignal>
#include <gtest/gtest.h>

#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

/// `{"id":"<id>","by":<by>}` for the counter of `key`, with QoS 1.
mqtt::publish reading(const std::string& key, const std::string& id, int by,
                      uint8_t qos = 1) {
  return {.topic = "meters/" + key + "/reading",
          .body = R"({"id":")" + id + R"(","by":)" + std::to_string(by) + "}",
          .qos = qos};
}

std::string counting(const mosquitto_server& broker,
                     const std::string& more = {}) {
  return "meters=broker:" + broker.url()
         + ",topic:meters/{key}/reading,service:counter,method:increment,"
           "argument:by,identity:json:id,pause:50ms"
         + more;
}

node_settings settings_of(const std::filesystem::path& folder,
                          const std::string& subscription) {
  node_settings result;
  result.folder = folder;
  result.options = {"--subscribe", subscription};
  return result;
}

std::string value_of(const node_process& node, const std::string& key) {
  return post(node, "/services/counter/" + key + "/get").body;
}

} // namespace

TEST(mqtt, a_message_is_acknowledged_once_its_effect_is_durable) {
  mosquitto_server broker;
  testing::temporary_folder folder;
  node_process node{settings_of(folder.path(), counting(broker))};
  mqtt_client client{broker.port()};
  ASSERT_TRUE(eventually([&] {
    return broker.log().find("SUBACK to troupe-meters") != std::string::npos;
  }));
  client.publish(reading("a", "m1", 5));
  EXPECT_TRUE(eventually([&] { return value_of(node, "a") == "5"; }));
  EXPECT_TRUE(eventually([&] {
    return broker.log().find("Received PUBACK from troupe-meters")
           != std::string::npos;
  }));
  client.publish(reading("a", "m1", 5)); // the sender repeats it
  client.publish(reading("a", "m2", 1));
  EXPECT_TRUE(eventually([&] { return value_of(node, "a") == "6"; }));
  EXPECT_EQ(node.stop(), 0);
}

TEST(mqtt, the_sum_of_all_messages_is_exact_though_the_node_is_killed) {
  const int messages = messages_of_tests();
  constexpr int keys = 7;
  mosquitto_server broker;
  testing::temporary_folder folder;
  auto settings = settings_of(folder.path(), counting(broker));
  auto node = std::make_unique<node_process>(settings);
  ASSERT_TRUE(eventually([&] {
    return broker.log().find("SUBACK to troupe-meters") != std::string::npos;
  }));
  mqtt_client client{broker.port()};
  std::vector<int> sums(keys);
  for (int i = 0; i < messages; ++i) {
    auto by = i % 13 + 1;
    sums[static_cast<size_t>(i % keys)] += by;
    client.publish(
      reading("k" + std::to_string(i % keys), "m" + std::to_string(i), by));
    if (i % 500 == 250) {
      node->kill();
      node = std::make_unique<node_process>(settings);
    }
  }
  for (int i = 0; i < keys; ++i) {
    auto key = "k" + std::to_string(i);
    auto sum = std::to_string(sums[static_cast<size_t>(i)]);
    EXPECT_TRUE(eventually([&] { return value_of(*node, key) == sum; }))
      << key << " is " << value_of(*node, key) << ", not " << sum;
  }
  // Else nothing was tested.
  EXPECT_NE(broker.log().find("Sending PUBLISH to troupe-meters (d1"),
            std::string::npos);
  EXPECT_EQ(node->stop(), 0);
}

} // namespace troupe::test
