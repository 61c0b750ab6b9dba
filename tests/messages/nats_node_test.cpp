// Messages of a real nats-server that change entities of a real node.

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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

nlohmann::json status_of(const node_process& node) {
  return nlohmann::json::parse(get(node, "/subscriptions").body)
    .at("subscriptions")
    .at(0);
}

} // namespace

TEST(jetstream,
     the_sum_of_all_messages_is_exact_though_node_and_server_are_killed) {
  const int messages = messages_of_tests();
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

TEST(nats, who_asks_in_vain_is_told_why) {
  nats_server server;
  nats_client client{server.url()};
  client.subscribe("answers");
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), "fails=broker:" + server.url()
                                 + ",topic:fails,function:fail,pause:20ms")};
  ASSERT_TRUE(
    eventually([&] { return status_of(node).at("state") == "connected"; }));
  client.ask("fails", "oh\nno", "answers");
  auto got = client.receive_message();
  ASSERT_TRUE(got);
  auto body = nlohmann::json::parse(got->body);
  EXPECT_EQ(body.at("errorType"), "std::runtime_error");
  EXPECT_EQ(body.at("errorMessage"), "oh\nno");
  EXPECT_EQ(body.at("effect"), "ran");
  EXPECT_EQ(got->more["Content-Type"], "application/json");
  EXPECT_EQ(got->more["Nats-Service-Error"], "std::runtime_error: oh?no");
  EXPECT_EQ(got->more["Nats-Service-Error-Code"], "502");
  EXPECT_EQ(status_of(node).at("deadLettered"), 1);
}

TEST(nats, who_asks_what_is_not_there_is_told_so_at_once) {
  nats_server server;
  nats_client client{server.url()};
  client.subscribe("answers");
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), "sums=broker:" + server.url()
                                 + ",topic:sums,function:addd,pause:20ms")};
  ASSERT_TRUE(
    eventually([&] { return status_of(node).at("state") == "connected"; }));
  client.ask("sums", "[2,3]", "answers");
  auto got = client.receive_message();
  ASSERT_TRUE(got);
  auto body = nlohmann::json::parse(got->body);
  EXPECT_EQ(body.at("errorType"), "not_found");
  EXPECT_EQ(body.at("effect"), "unknown");
  EXPECT_EQ(got->more["Nats-Service-Error-Code"], "404");
  EXPECT_NE(got->body.find("is 'add' meant?"), std::string::npos) << got->body;
  // The message waits, and nothing more is said to who has got his answer.
  EXPECT_EQ(status_of(node).at("inFlight"), 1);
  EXPECT_EQ(status_of(node).at("deadLettered"), 0);
  EXPECT_EQ(node.stop(), 0);
  client.publish("answers", "last");
  EXPECT_EQ(client.receive(), "last");
}

TEST(nats, who_asks_what_still_runs_when_the_node_leaves_is_told_so) {
  nats_server server;
  nats_client client{server.url()};
  client.subscribe("answers");
  testing::temporary_folder folder;
  auto settings = settings_of(folder.path(), "slow=broker:" + server.url()
                                               + ",topic:slow,function:sleep");
  settings.options.insert(settings.options.end(), {"--shutdown.timeout", "1s"});
  node_process node{settings};
  ASSERT_TRUE(
    eventually([&] { return status_of(node).at("state") == "connected"; }));
  client.ask("slow", "20000", "answers");
  ASSERT_TRUE(eventually([&] { return status_of(node).at("inFlight") == 1; }));
  node.stop();
  auto got = client.receive_message();
  ASSERT_TRUE(got);
  auto body = nlohmann::json::parse(got->body);
  EXPECT_EQ(body.at("errorType"), "shutting_down");
  EXPECT_EQ(body.at("effect"), "unknown");
}

TEST(nats, who_asks_a_node_that_leaves_is_told_so) {
  nats_server server;
  nats_client client{server.url()};
  client.subscribe("answers");
  testing::temporary_folder folder;
  node_process node{settings_of(
    folder.path(), "fails=broker:" + server.url()
                     + ",topic:fails,function:fail,pause:1h,pause-max:1h")};
  ASSERT_TRUE(
    eventually([&] { return status_of(node).at("state") == "connected"; }));
  client.ask("fails", "oh", "answers");
  ASSERT_TRUE(eventually([&] { return status_of(node).at("retried") == 1; }));
  EXPECT_EQ(node.stop(), 0);
  auto got = client.receive_message();
  ASSERT_TRUE(got);
  EXPECT_EQ(nlohmann::json::parse(got->body).at("errorType"), "shutting_down");
  EXPECT_EQ(got->more["Nats-Service-Error-Code"], "503");
}

TEST(nats, an_answer_that_is_too_large_is_told_of_and_keeps_no_other) {
  nats_server server{"max_payload: 8192\n"};
  nats_client client{server.url()};
  client.subscribe("answers");
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), "reads=broker:" + server.url()
                                 + ",topic:reads.{key},service:data_service,"
                                   "method:get_data")};
  ASSERT_TRUE(
    eventually([&] { return status_of(node).at("state") == "connected"; }));
  auto large = "\"" + std::string(20'000, 'x') + "\"";
  post(node, "/services/data_service/large/set_data", large);
  post(node, "/services/data_service/small/set_data", "1");
  constexpr int pairs = 20;
  for (int i = 0; i < pairs; ++i) {
    client.ask("reads.large", "", "answers");
    client.ask("reads.small", "", "answers");
  }
  int refused = 0;
  for (int i = 0; i < 2 * pairs; ++i) {
    auto got = client.receive_message();
    ASSERT_TRUE(got) << i;
    auto code = got->more["Nats-Service-Error-Code"];
    EXPECT_TRUE(code == "413" || (code.empty() && got->body == "1"))
      << got->body;
    if (code == "413") {
      ++refused;
      auto body = nlohmann::json::parse(got->body);
      EXPECT_EQ(body.at("errorType"), "payload_too_large");
      EXPECT_EQ(body.at("effect"), "unknown");
    }
  }
  EXPECT_EQ(refused, pairs);
  EXPECT_EQ(status_of(node).at("connections"), 1);
}

TEST(jetstream, an_answer_that_is_too_large_is_left_out_and_keeps_no_other) {
  nats_server server{"max_payload: 8192\n"};
  nats_client client{server.url()};
  client.add_stream("READS", "reads.*");
  client.subscribe("results");
  testing::temporary_folder folder;
  node_process node{settings_of(
    folder.path(), "reads=broker:" + server.url()
                     + ",topic:reads.{key},stream:READS,service:data_service,"
                       "method:get_data,reply-topic:results")};
  auto large = "\"" + std::string(20'000, 'x') + "\"";
  post(node, "/services/data_service/large/set_data", large);
  post(node, "/services/data_service/small/set_data", "1");
  client.publish_to_stream("reads.large", "", "1");
  client.publish_to_stream("reads.small", "", "2");
  EXPECT_EQ(client.receive(), "1");
  EXPECT_TRUE(
    eventually([&] { return status_of(node).at("acknowledged") == 2; }));
  EXPECT_EQ(status_of(node).at("redelivered"), 0);
  EXPECT_NE(status_of(node).at("brokerError").dump().find("20002 bytes"),
            std::string::npos);
}

TEST(jetstream, a_call_that_takes_longer_than_the_ack_wait_is_made_once) {
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("JOBS", "jobs");
  testing::temporary_folder folder;
  node_process node{settings_of(
    folder.path(), "jobs=broker:" + server.url()
                     + ",topic:jobs,stream:JOBS,function:sleep,ack-wait:1s")};
  client.publish_to_stream("jobs", "2500", "1");
  EXPECT_TRUE(
    eventually([&] { return status_of(node).at("acknowledged") == 1; }));
  EXPECT_EQ(status_of(node).at("delivered"), 1);
  EXPECT_EQ(status_of(node).at("redelivered"), 0);
}

TEST(jetstream, no_more_is_fetched_than_may_be_in_flight) {
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("JOBS", "jobs");
  for (int i = 0; i < 20; ++i)
    client.publish_to_stream("jobs", "100", std::to_string(i));
  testing::temporary_folder folder;
  node_process node{settings_of(
    folder.path(), "jobs=broker:" + server.url()
                     + ",topic:jobs,stream:JOBS,function:sleep,in-flight:3")};
  int most = 0;
  EXPECT_TRUE(eventually([&] {
    auto status = status_of(node);
    most = std::max(most, status.at("inFlight").get<int>());
    return status.at("acknowledged") == 20;
  }))
    << status_of(node).dump();
  EXPECT_EQ(most, 3);
}

TEST(jetstream, a_node_that_leaves_gives_back_what_it_has_not_done) {
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("METERS", "meters.*.reading");
  testing::temporary_folder folder;
  auto settings =
    settings_of(folder.path(), counting(server, ",durable:d") + ",in-flight:8");
  auto at = settings.options[1].find("ack-wait:1s");
  settings.options[1].replace(at, 11, "ack-wait:1h"); // else it comes by itself
  settings.plugins = {}; // nobody can do it: it waits for another attempt
  {
    node_process node{settings};
    client.publish_to_stream("meters.a.reading", "4", "1");
    ASSERT_TRUE(eventually([&] { return status_of(node).at("retried") > 0; }));
    EXPECT_EQ(node.stop(), 0);
  }
  settings.plugins = {examples_plugin()};
  node_process node{settings};
  EXPECT_TRUE(eventually([&] { return value_of(node, "a") == "4"; }));
  EXPECT_EQ(status_of(node).at("redelivered"), 1);
}

TEST(jetstream, answers_are_published_before_a_message_is_done) {
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("SUMS", "sums");
  client.subscribe("results");
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), "sums=broker:" + server.url()
                                 + ",topic:sums,stream:SUMS,function:add,"
                                   "reply-topic:results")};
  client.publish_to_stream("sums", "[2,3]", "1");
  EXPECT_EQ(client.receive(), "5");
  EXPECT_TRUE(
    eventually([&] { return status_of(node).at("acknowledged") == 1; }));
}

TEST(jetstream, a_stream_that_is_not_there_is_said_and_waited_for) {
  nats_server server;
  nats_client client{server.url()};
  testing::temporary_folder folder;
  node_process node{settings_of(folder.path(), counting(server))};
  EXPECT_TRUE(eventually([&] {
    return status_of(node).dump().find("no stream 'METERS'")
           != std::string::npos;
  }))
    << status_of(node).dump();
  client.add_stream("METERS", "meters.*.reading");
  client.publish_to_stream("meters.a.reading", "4", "1");
  EXPECT_TRUE(eventually([&] { return value_of(node, "a") == "4"; }));
}

TEST(nats, a_server_that_wants_a_password_and_tls_gets_both) {
  testing::temporary_folder secrets;
  make_certificate(secrets.path() / "server");
  make_certificate(secrets.path() / "stranger");
  auto at = [&](const char* name) { return (secrets.path() / name).string(); };
  std::ofstream{at("right")} << "secret\n";
  std::ofstream{at("wrong")} << "guess\n";
  nats_server server{
    "tls { cert_file: \"" + at("server.pem") + "\", key_file: \""
    + at("server.key")
    + "\" }\nauthorization { user: meter, password: secret }\n"};
  auto port = std::to_string(server.port());
  struct attempt {
    std::string host;
    const char* ca;
    const char* password;
    const char* outcome;
  };
  for (auto& x :
       {attempt{"127.0.0.1", "server.pem", "right", "\"connected\""},
        attempt{"127.0.0.1", "server.pem", "wrong", "cannot connect"},
        attempt{"127.0.0.1", "stranger.pem", "right", "cannot connect"},
        attempt{"localhost", "server.pem", "right", "cannot connect"}}) {
    testing::temporary_folder folder;
    node_process node{settings_of(
      folder.path(), "m=broker:tls://" + x.host + ":" + port
                       + ",topic:a,function:add,user:meter,ca:" + at(x.ca)
                       + ",password-file:" + at(x.password))};
    EXPECT_TRUE(eventually([&] {
      return status_of(node).dump().find(x.outcome) != std::string::npos;
    }))
      << x.host << " " << x.ca << " " << x.password << ": "
      << status_of(node).dump();
  }
}

} // namespace troupe::test
