// Messages of a real nats-server that change entities of a real node.

#include <gtest/gtest.h>

#include "tests/support/broker.hpp"
#include "tests/support/nats_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

std::string counting(const nats_server& server, const std::string& more = {}) {
  return "meters=broker:" + server.url()
         + ",topic:meters.{key}.reading,stream:METERS,service:counter,"
           "method:increment,pause:50ms,ack-wait:1s"
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

TEST(jetstream,
     the_sum_of_2000_messages_is_exact_though_node_and_server_are_killed) {
  constexpr int messages = 2000;
  constexpr int keys = 7;
  nats_server server;
  testing::temporary_folder folder;
  auto settings = settings_of(folder.path(), counting(server));
  nats_client client{server.url()};
  client.add_stream("METERS", "meters.*.reading");
  auto node = std::make_unique<node_process>(settings);
  std::vector<int> sums(keys);
  for (int i = 0; i < messages; ++i) {
    auto by = i % 13 + 1;
    sums[static_cast<size_t>(i % keys)] += by;
    client.publish_to_stream("meters.k" + std::to_string(i % keys) + ".reading",
                             std::to_string(by), "m" + std::to_string(i));
    if (i % 500 == 250) {
      node->kill();
      node = std::make_unique<node_process>(settings);
    }
    if (i % 500 == 400) {
      server.kill();
      server.start();
    }
  }
  for (int i = 0; i < keys; ++i) {
    auto key = "k" + std::to_string(i);
    auto sum = std::to_string(sums[static_cast<size_t>(i)]);
    EXPECT_TRUE(eventually([&] { return value_of(*node, key) == sum; }))
      << key << " is " << value_of(*node, key) << ", not " << sum;
  }
  EXPECT_TRUE(eventually([&] {
    auto left = client.look_at("METERS", "troupe-meters");
    return left.not_delivered + left.not_acknowledged == 0;
  }));
  EXPECT_EQ(node->stop(), 0);
}

TEST(jetstream, messages_that_were_there_before_the_node_come_to_it) {
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("METERS", "meters.*.reading");
  client.publish_to_stream("meters.a.reading", "4", "1");
  client.publish_to_stream("meters.a.reading", "5", "2");
  testing::temporary_folder folder;
  node_process node{settings_of(folder.path(), counting(server))};
  EXPECT_TRUE(eventually([&] { return value_of(node, "a") == "9"; }));
  EXPECT_EQ(node.stop(), 0);
}

TEST(nats, who_asks_a_function_gets_its_answer) {
  nats_server server;
  nats_client client{server.url()};
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), "sums=broker:" + server.url()
                                 + ",topic:sums,function:add,in-flight:8")};
  std::optional<std::string> answer;
  EXPECT_TRUE(eventually([&] {
    answer = client.request("sums", "[2,3]"); // nobody may listen yet
    return answer.has_value();
  }));
  EXPECT_EQ(answer, "5");
  EXPECT_EQ(node.stop(), 0);
}

} // namespace troupe::test
