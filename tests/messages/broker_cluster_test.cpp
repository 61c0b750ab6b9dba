// Subscriptions of a cluster of real nodes: one of MQTT moves when its node dies,
// those of NATS are shared.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/nats_client.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::test {

namespace {

using json = nlohmann::json;

std::string of_mqtt(const mosquitto_server& broker) {
  return "meters=broker:" + broker.url()
         + ",topic:meters/{key}/reading,service:counter,method:increment,"
           "argument:by,identity:property:id,pause:50ms";
}

std::string of_jetstream(const nats_server& server) {
  return "meters=broker:" + server.url()
         + ",topic:meters.{key}.reading,stream:METERS,service:counter,"
           "method:increment,pause:50ms,ack-wait:1s,in-flight:16";
}

mqtt::publish reading(int number, int by) {
  return {.topic = "meters/k" + std::to_string(number % 5) + "/reading",
          .body = R"({"by":)" + std::to_string(by) + "}",
          .qos = 1,
          .properties = {{"id", "m" + std::to_string(number)}}};
}

json status_of(const node_process& node) {
  auto body = json::parse(get(node, "/subscriptions").body);
  return body.at("subscriptions").at(0);
}

/// The node that has the subscription; empty: none has.
std::string owner_of(node_cluster& nodes, const words& ids) {
  for (auto& id : ids)
    if (nodes.runs(id)
        && status_of(nodes[id]).at("state").get<std::string>() == "connected")
      return id;
  return {};
}

std::string value_of(const node_process& node, const std::string& key) {
  return post(node, "/services/counter/" + key + "/get").body;
}

void expect_sums(const node_process& node, const std::vector<int>& sums) {
  for (size_t i = 0; i < sums.size(); ++i) {
    auto key = "k" + std::to_string(i);
    auto sum = std::to_string(sums[i]);
    EXPECT_TRUE(eventually([&] { return value_of(node, key) == sum; }))
      << key << " is " << value_of(node, key) << ", not " << sum;
  }
}

} // namespace

TEST(broker_cluster,
     a_subscription_of_mqtt_has_one_owner_and_moves_when_it_dies) {
  constexpr int messages = 1200;
  const words ids{"a", "b", "c"};
  mosquitto_server broker;
  node_cluster nodes{{"--subscribe", of_mqtt(broker)}};
  nodes.start_all(ids);
  std::string owner;
  ASSERT_TRUE(eventually([&] {
    owner = owner_of(nodes, ids);
    return !owner.empty();
  }));
  for (auto& id : ids)
    if (id != owner) {
      EXPECT_EQ(status_of(nodes[id]).at("state"), "standby");
    }
  mqtt_client client{broker.port()};
  std::vector<int> sums(5);
  for (int i = 0; i < messages; ++i) {
    auto by = i % 7 + 1;
    sums[static_cast<size_t>(i % 5)] += by;
    client.publish(reading(i, by));
    if (i % 400 != 200)
      continue;
    // The owner dies with messages in flight, and comes back.
    nodes[owner].kill();
    auto dead = owner;
    ASSERT_TRUE(eventually([&] {
      owner = owner_of(nodes, ids);
      return !owner.empty();
    }));
    EXPECT_NE(owner, dead);
    nodes.start(dead);
  }
  expect_sums(nodes[owner], sums);
}

TEST(broker_cluster, an_owner_that_leaves_hands_its_subscription_over) {
  const words ids{"a", "b"};
  mosquitto_server broker;
  node_cluster nodes{{"--subscribe", of_mqtt(broker)}};
  nodes.start_all(ids);
  std::string owner;
  ASSERT_TRUE(eventually([&] {
    owner = owner_of(nodes, ids);
    return !owner.empty();
  }));
  mqtt_client client{broker.port()};
  client.publish(reading(0, 3));
  EXPECT_EQ(nodes[owner].stop(), 0);
  client.publish(reading(5, 4));
  auto& other = nodes[owner == "a" ? "b" : "a"];
  EXPECT_TRUE(eventually([&] { return value_of(other, "k0") == "7"; }));
  EXPECT_EQ(status_of(other).at("state"), "connected");
}

TEST(broker_cluster, all_nodes_share_a_consumer_of_jetstream) {
  constexpr int messages = 1500;
  const words ids{"a", "b", "c"};
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("METERS", "meters.*.reading");
  node_cluster nodes{{"--subscribe", of_jetstream(server)}};
  nodes.start_all(ids);
  std::vector<int> sums(5);
  for (int i = 0; i < messages; ++i) {
    auto by = i % 7 + 1;
    sums[static_cast<size_t>(i % 5)] += by;
    client.publish_to_stream("meters.k" + std::to_string(i % 5) + ".reading",
                             std::to_string(by), "m" + std::to_string(i));
    if (i == 500) {
      nodes["b"].kill();
      nodes.start("b");
    }
    if (i == 1000) {
      server.kill();
      server.start();
    }
  }
  expect_sums(nodes["a"], sums);
  for (auto id : {"a", "c"})
    EXPECT_GT(status_of(nodes[id]).at("succeeded"), 0) << id;
}

TEST(broker_cluster, troupe_subscribe_list_shows_every_node) {
  const words ids{"a", "b"};
  mosquitto_server broker;
  node_cluster nodes{{"--subscribe", of_mqtt(broker)}};
  nodes.start_all(ids);
  ASSERT_TRUE(eventually([&] { return !owner_of(nodes, ids).empty(); }));
  auto shown = cli(nodes["a"], {"subscribe", "list", "--json"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  auto list = json::parse(shown.out);
  ASSERT_EQ(list.size(), 2u);
  std::multiset<std::string> states;
  for (auto& x : list)
    states.insert(x.at("state").get<std::string>());
  EXPECT_EQ(states, (std::multiset<std::string>{"connected", "standby"}));
  auto text = cli(nodes["b"], {"subscribe", "list"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("meters/{key}/reading"), std::string::npos);
  EXPECT_EQ(cli(nodes["a"], {"subscribe"}).status, 2);
  EXPECT_EQ(cli(nodes["a"], {"subscribe", "dance"}).status, 2);
}

} // namespace troupe::test
