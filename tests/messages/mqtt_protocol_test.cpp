// What a node makes of MQTT: versions, qualities of service, answers, who may
// come in, brokers that go away.

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

using namespace std::chrono_literals;
using json = nlohmann::json;

/// A broker, and a node with one subscription `m`.
struct broker_and_node {
  explicit broker_and_node(const std::string& fields,
                           std::unique_ptr<mosquitto_server> with = nullptr)
    : broker(with ? std::move(with) : std::make_unique<mosquitto_server>()),
      settings(make_settings("m=broker:" + broker->url() + "," + fields)) {
    start_node();
  }

  void start_node() {
    node = std::make_unique<node_process>(settings);
    EXPECT_TRUE(eventually([&] { return status().at("state") == "connected"; }))
      << status().dump() << broker->log();
  }

  node_settings make_settings(const std::string& subscription) const {
    node_settings result;
    result.folder = folder.path();
    result.options = {"--subscribe", subscription};
    return result;
  }

  json status() const {
    return json::parse(get(*node, "/subscriptions").body)
      .at("subscriptions")
      .at(0);
  }

  std::string value_of(const std::string& key) const {
    return post(*node, "/services/counter/" + key + "/get").body;
  }

  testing::temporary_folder folder;
  std::unique_ptr<mosquitto_server> broker;
  node_settings settings;
  std::unique_ptr<node_process> node;
};

const std::string counting =
  "topic:m/{key},service:counter,method:increment,pause:20ms";

void write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream{file} << text;
}

} // namespace

TEST(mqtt_protocol, every_version_and_quality_of_service_brings_messages) {
  for (auto version : {"3.1.1", "5"})
    for (uint8_t qos : {0, 1, 2}) {
      SCOPED_TRACE(version + std::string{" "} + std::to_string(qos));
      broker_and_node x{counting + ",version:" + version
                        + ",qos:" + std::to_string(qos)};
      mqtt_client client{x.broker->port()};
      for (int i = 1; i <= 100; ++i)
        client.publish({.topic = "m/k", .body = std::to_string(i), .qos = qos});
      EXPECT_TRUE(eventually([&] { return x.value_of("k") == "5050"; }))
        << x.value_of("k");
      EXPECT_TRUE(
        eventually([&] { return x.status().at("acknowledged") == 100; }));
      if (qos == 2) {
        EXPECT_NE(x.broker->log().find("Received PUBCOMP from troupe-m"),
                  std::string::npos);
      }
    }
}

TEST(mqtt_protocol, qos_2_survives_the_death_of_the_node) {
  broker_and_node x{"topic:m/{key},service:counter,method:increment,"
                    "argument:by,identity:json:id,qos:2,pause:20ms"};
  mqtt_client client{x.broker->port()};
  for (int i = 0; i < 600; ++i) {
    client.publish({.topic = "m/k",
                    .body = R"({"by":1,"id":)" + std::to_string(i) + "}",
                    .qos = 2});
    if (i % 200 == 100) {
      x.node->kill();
      x.start_node();
    }
  }
  EXPECT_TRUE(eventually([&] { return x.value_of("k") == "600"; }))
    << x.value_of("k");
}

TEST(mqtt_protocol, a_broker_that_restarts_loses_nothing) {
  broker_and_node x{"topic:m/{key},service:counter,method:increment,"
                    "argument:by,identity:json:id,pause:20ms"};
  int sent = 0;
  for (int round = 0; round < 3; ++round) {
    auto client = std::make_unique<mqtt_client>(x.broker->port());
    for (int i = 0; i < 200; ++i) {
      client->publish({.topic = "m/k",
                       .body = R"({"by":1,"id":)" + std::to_string(sent) + "}",
                       .qos = 1});
      ++sent;
    }
    client.reset();
    x.broker->stop(); // SIGTERM: it writes down what it has
    x.broker->start();
  }
  EXPECT_TRUE(
    eventually([&] { return x.value_of("k") == std::to_string(sent); }))
    << x.value_of("k");
  EXPECT_GT(x.status().at("connections"), 1);
}

TEST(mqtt_protocol, a_message_that_nobody_can_do_is_a_dead_letter) {
  broker_and_node x{counting + ",attempts:2"};
  mqtt_client client{x.broker->port()};
  client.publish({.topic = "m/k", .body = "no number", .qos = 1});
  client.publish({.topic = "m/k", .body = "9223372036854775807", .qos = 1});
  client.publish({.topic = "m/k", .body = "1", .qos = 1}); // overflows
  EXPECT_TRUE(eventually([&] { return x.status().at("acknowledged") == 3; }));
  EXPECT_EQ(x.value_of("k"), "9223372036854775807");
  auto dead = json::parse(
    get(*x.node, "/queue/invocations?state=dead_lettered").body)["invocations"];
  ASSERT_EQ(dead.size(), 2u);
  EXPECT_EQ(dead[0].at("target"), "counter/k/increment");
  EXPECT_EQ(dead[0].at("error").at("errorType"), "bad_request");
  EXPECT_EQ(dead[1].at("error").at("errorType"), "std::overflow_error");
  EXPECT_EQ(x.status().at("deadLettered"), 2);
  auto metrics = get(*x.node, "/metrics").body;
  EXPECT_NE(metrics.find(
              "troupe_subscription_dead_letters_total{subscription=\"m\"} 2"),
            std::string::npos)
    << metrics;
}

TEST(mqtt_protocol, answers_are_published) {
  broker_and_node x{"topic:sums,function:add,reply-topic:results"};
  mqtt_client listener{x.broker->port()};
  listener.subscribe("results");
  mqtt_client client{x.broker->port()};
  for (int i = 0; i < 200; ++i)
    client.publish(
      {.topic = "sums", .body = "[" + std::to_string(i) + ",1]", .qos = 1});
  std::multiset<std::string> answers;
  std::multiset<std::string> wanted;
  for (int i = 0; i < 200; ++i) {
    wanted.insert(std::to_string(i + 1));
    auto answer = listener.receive();
    ASSERT_TRUE(answer) << i;
    answers.insert(answer->body);
  }
  EXPECT_EQ(answers, wanted);
}

TEST(mqtt_protocol, the_broker_tells_of_a_node_that_is_gone) {
  for (auto version : {"3.1.1", "5"}) {
    broker_and_node x{counting
                      + ",will-topic:nodes,will:gone,version:" + version};
    mqtt_client listener{x.broker->port()};
    listener.subscribe("nodes");
    x.node->kill();
    auto will = listener.receive();
    ASSERT_TRUE(will) << version;
    EXPECT_EQ(will->body, "gone");
    x.start_node();
    EXPECT_EQ(x.node->stop(), 0);
    EXPECT_FALSE(listener.receive(300ms)) << "it went with a word";
  }
}

TEST(mqtt_protocol, who_shares_a_subscription_gets_a_part_of_its_messages) {
  broker_and_node x{counting + ",group:g,in-flight:4"};
  testing::temporary_folder folder;
  auto settings = x.settings;
  settings.folder = folder.path();
  settings.options[1] += ",client-id:another";
  node_process other{settings};
  ASSERT_TRUE(eventually([&] {
    return x.broker->log().find("SUBACK to another") != std::string::npos;
  }));
  mqtt_client client{x.broker->port()};
  for (int i = 0; i < 400; ++i)
    client.publish({.topic = "m/k", .body = "1", .qos = 1});
  auto value = [](const node_process& node) {
    auto body = post(node, "/services/counter/k/get").body;
    return std::stoi(body);
  };
  EXPECT_TRUE(eventually([&] { return value(*x.node) + value(other) == 400; }))
    << value(*x.node) << " and " << value(other);
  EXPECT_GT(value(*x.node), 0);
  EXPECT_GT(value(other), 0);
}

TEST(mqtt_protocol, a_broker_that_wants_a_password_gets_it_from_a_file) {
  testing::temporary_folder secrets;
  auto file = secrets.path() / "users";
  write_file(file, "meter:secret\n");
  run_tool({"/usr/bin/mosquitto_passwd", "-U", file.string()});
  write_file(secrets.path() / "right", "secret\n");
  write_file(secrets.path() / "wrong", "guess\n");
  auto broker = std::make_unique<mosquitto_server>(
    "allow_anonymous false\npassword_file " + file.string() + "\n");
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  auto subscription = "m=broker:" + broker->url() + "," + counting
                      + ",user:meter,password-file:" + secrets.path().string()
                      + "/";
  settings.options = {"--subscribe", subscription + "wrong"};
  {
    node_process node{settings};
    EXPECT_TRUE(eventually([&] {
      return get(node, "/subscriptions").body.find("not authorized")
             != std::string::npos;
    }))
      << get(node, "/subscriptions").body;
    EXPECT_EQ(node.stop(), 0);
  }
  broker_and_node x{counting + ",user:meter,password-file:"
                      + secrets.path().string() + "/right",
                    std::move(broker)};
  EXPECT_EQ(x.status().at("state"), "connected");
}

TEST(mqtt_protocol,
     tls_is_for_a_broker_whose_certificate_is_good_for_its_host) {
  testing::temporary_folder secrets;
  make_certificate(secrets.path() / "broker");
  make_certificate(secrets.path() / "stranger");
  auto at = [&](const char* name) { return (secrets.path() / name).string(); };
  mosquitto_server broker{"allow_anonymous true\ncafile " + at("broker.pem")
                          + "\ncertfile " + at("broker.pem") + "\nkeyfile "
                          + at("broker.key") + "\n"};
  auto port = std::to_string(broker.port());
  struct attempt {
    std::string host;
    const char* ca;
    const char* outcome;
  };
  for (auto& x : {attempt{"127.0.0.1", "broker.pem", "\"connected\""},
                  attempt{"127.0.0.1", "stranger.pem", "cannot connect"},
                  attempt{"localhost", "broker.pem", "cannot connect"}}) {
    testing::temporary_folder folder;
    node_settings settings;
    settings.folder = folder.path();
    settings.options = {"--subscribe", "m=broker:mqtts://" + x.host + ":" + port
                                         + "," + counting + ",ca:" + at(x.ca)};
    node_process node{settings};
    EXPECT_TRUE(eventually([&] {
      return get(node, "/subscriptions").body.find(x.outcome)
             != std::string::npos;
    }))
      << x.host << " " << x.ca << ": " << get(node, "/subscriptions").body;
  }
}

TEST(mqtt_protocol, a_wrong_subscription_is_a_wrong_command_line) {
  testing::temporary_folder folder;
  node_settings settings;
  settings.folder = folder.path();
  settings.options = {"--subscribe", "m=broker:mqtt://h,topic:a"};
  auto result = testing::run_process(node_command(settings));
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("--subscribe"), std::string::npos) << result.err;
}

} // namespace troupe::test
