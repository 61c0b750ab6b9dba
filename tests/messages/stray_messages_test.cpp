// Messages that a broker of MQTT sends though the subscription does not take them,
// because the session has a filter of before, or of somebody else: they were
// acknowledged and vanished. And what keeps a session from collecting them.

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

using json = nlohmann::json;

size_t count(const std::string& text, const std::string& part) {
  size_t result = 0;
  for (auto i = text.find(part); i != text.npos; i = text.find(part, i + 1))
    ++result;
  return result;
}

json view_of(const node_process& node, const std::string& name) {
  return json::parse(get(node, "/subscriptions/" + name).body);
}

bool becomes(const node_process& node, const std::string& name,
             const char* field, const json& value) {
  return eventually([&] {
    auto view = view_of(node, name);
    return view.contains(field) && view[field] == value;
  });
}

void publish(mqtt_client& client, const std::string& topic, int times = 1) {
  for (int i = 0; i < times; ++i)
    client.publish({.topic = topic, .body = "1", .qos = 1});
}

/// A counter of the messages of `topic`/{key}, in the folder of `test`.
json counting(const mosquitto_server& broker, const std::string& topic) {
  return {{"broker", broker.url()},
          {"topic", topic + "/{key}"},
          {"service", "counter"},
          {"method", "increment"}};
}

void declare(const node_process& node, const json& fields) {
  auto made = send(node, "PUT", "/subscriptions/v", fields.dump());
  ASSERT_EQ(made.status, 200u) << made.body;
  ASSERT_TRUE(becomes(node, "v", "topic", fields.at("topic")));
  ASSERT_TRUE(becomes(node, "v", "state", "connected"))
    << view_of(node, "v").dump();
}

void remove(const node_process& node) {
  ASSERT_EQ(send(node, "DELETE", "/subscriptions/v").status, 204u);
  ASSERT_TRUE(eventually([&] {
    return json::parse(get(node, "/subscriptions").body)
      .at("subscriptions")
      .empty();
  }));
}

/// Which node, with the session of `v`, has the filter of somebody else.
void subscribe_before(const mosquitto_server& broker,
                      const std::string& filter) {
  mqtt::connect who;
  who.client_id = "troupe-v";
  who.session_expiry_s = 3600;
  mqtt_client{broker.port(), who}.subscribe(filter);
}

} // namespace

TEST(stray_messages, are_dead_letters_with_a_reason_and_one_line_of_the_log) {
  mosquitto_server broker;
  subscribe_before(broker, "old/+");
  example_node node;
  declare(node, counting(broker, "new"));
  mqtt_client client{broker.port()};
  publish(client, "old/o1", 3);
  publish(client, "new/n1");
  EXPECT_TRUE(becomes(node, "v", "acknowledged", 4));
  auto view = view_of(node, "v");
  EXPECT_EQ(view.at("deadLettered"), 3) << view.dump();
  EXPECT_EQ(view.at("succeeded"), 1) << view.dump();
  EXPECT_EQ(view.at("delivered"), 4) << view.dump();
  auto why = "the subscription takes topic:new/{key}, not old/o1; its session "
             "at the broker still has another filter";
  auto dead = json::parse(
    get(node, "/queue/invocations?state=dead_lettered").body)["invocations"];
  ASSERT_EQ(dead.size(), 3u);
  for (auto& x : dead)
    EXPECT_EQ(x.at("error").at("errorMessage"), why) << x.dump();
  EXPECT_EQ(count(node->log(), why), 1u) << node->log();
}

TEST(stray_messages, are_not_collected_for_what_was_removed) {
  mosquitto_server broker;
  example_node node;
  mqtt_client client{broker.port()};
  declare(node, counting(broker, "old"));
  remove(node);
  EXPECT_EQ(count(broker.log(), "UNSUBSCRIBE from troupe-v"), 1u)
    << broker.log();
  publish(client, "old/o1", 3);
  declare(node, counting(broker, "new"));
  publish(client, "new/n1");
  ASSERT_TRUE(becomes(node, "v", "acknowledged", 1))
    << view_of(node, "v").dump();
  // Another topic at once: the same.
  declare(node, counting(broker, "newest"));
  publish(client, "new/n1", 3);
  publish(client, "newest/n1");
  ASSERT_TRUE(becomes(node, "v", "acknowledged", 1));
  EXPECT_EQ(view_of(node, "v").at("deadLettered"), 0);
  EXPECT_EQ(post(node, "/services/counter/n1/get").body, "2");
}

TEST(stray_messages, are_not_collected_though_a_message_waits_to_be_tried) {
  mosquitto_server broker;
  example_node node;
  mqtt_client client{broker.port()};
  auto fields = counting(broker, "old");
  fields["pause"] = fields["pause-max"] = "1h";
  declare(node, fields);
  client.publish({.topic = "old/o1", .body = "9223372036854775807", .qos = 1});
  publish(client, "old/o1"); // overflows
  ASSERT_TRUE(becomes(node, "v", "retried", 1));
  remove(node);
  EXPECT_EQ(count(broker.log(), "UNSUBSCRIBE from troupe-v"), 1u)
    << broker.log();
}

TEST(stray_messages, are_none_when_a_subscription_changes_and_keeps_its_topic) {
  mosquitto_server broker;
  example_node node;
  mqtt_client client{broker.port()};
  auto fields = counting(broker, "old");
  declare(node, fields);
  fields["in-flight"] = 3;
  ASSERT_EQ(send(node, "PUT", "/subscriptions/v", fields.dump()).status, 200u);
  // These come while one ends and the other begins, or before, or after.
  publish(client, "old/o1", 500);
  EXPECT_TRUE(eventually(
    [&] { return post(node, "/services/counter/o1/get").body == "500"; }));
  ASSERT_TRUE(
    eventually([&] { return count(broker.log(), "SUBACK to troupe-v") == 2; }))
    << broker.log();
  EXPECT_EQ(count(broker.log(), "UNSUBSCRIBE from troupe-v"), 0u);
}

} // namespace troupe::test
