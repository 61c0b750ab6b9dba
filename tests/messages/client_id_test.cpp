// Client ids of MQTT, of which a broker has one connection each: what they are by
// default, and what is said when two clients have one.

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

using json = nlohmann::json;

std::string error_of(const node_process& node) {
  return get(node, "/subscriptions").body;
}

} // namespace

TEST(client_id, has_the_name_of_the_cluster_if_that_has_one) {
  mosquitto_server broker;
  auto fields = "broker:" + broker.url() + ",topic:a,function:add";
  example_node node{{"--cluster.listen", "127.0.0.1:0", "--cluster.name",
                     "plant", "--subscribe", "first=" + fields}};
  auto made = send(
    node, "PUT", "/subscriptions/second",
    json{{"broker", broker.url()}, {"topic", "a"}, {"function", "add"}}.dump());
  ASSERT_EQ(made.status, 200u) << made.body;
  for (auto name : {"first", "second"})
    EXPECT_TRUE(eventually([&] {
      return broker.log().find("SUBACK to troupe-plant-" + std::string{name})
             != std::string::npos;
    }))
      << broker.log();
}

TEST(client_id, that_another_client_takes_is_what_the_error_says) {
  for (auto version : {"3.1.1", "5"}) {
    SCOPED_TRACE(version);
    mosquitto_server broker;
    example_node node{
      {"--subscribe", "m=broker:" + broker.url()
                        + ",topic:a,function:add,version:" + version}};
    mqtt::connect who;
    who.client_id = "troupe-m";
    // Each time that the node is back, which ends what it says.
    EXPECT_TRUE(eventually([&] {
      if (error_of(node).find("\"connected\"") != std::string::npos)
        mqtt_client{broker.port(), who};
      return error_of(node).find("another client with this client-id took the "
                                 "connection: give it a client-id of its own")
             != std::string::npos;
    }))
      << error_of(node) << broker.log();
  }
}

} // namespace troupe::test
