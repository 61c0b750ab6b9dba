// What follows queued calls on brokers: a real node, a real nats-server, a real
// mosquitto.

#include <atomic>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "nodes/mqtt/packet.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/nats_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {
namespace {

using namespace std::chrono_literals;
using json = nlohmann::json;
using ::testing::HasSubstr;

node_settings settings_of(const std::filesystem::path& folder,
                          const std::string& to, const std::string& lane) {
  node_settings result;
  result.folder = folder;
  result.options = {"--queued", "add=on-success:" + to, "--queued",
                    lane + "=pause:20ms,max-pause:200ms"};
  return result;
}

/// Queues `add` of 2 and 3; its id.
std::string add(const node_process& node, const std::string& key = "k") {
  auto x = post(node, "/invoke/add", "[2,3]",
                {"Prefer: respond-async", "Troupe-Key: " + key});
  EXPECT_EQ(x.status, 202u) << x.body;
  return json::parse(x.body, nullptr, false).value("id", "");
}

int dead_letters(const node_process& node, const std::string& lane) {
  auto lanes = json::parse(get(node, "/queue").body).at("lanes");
  for (auto& x : lanes)
    if (x["lane"] == lane)
      return x["deadLettered"];
  return 0;
}

TEST(nats_destination, is_told_with_headers) {
  nats_server server;
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), server.url() + "/sums.{key}", server.url())};
  nats_client client{server.url()};
  client.subscribe("sums.>");
  auto id = add(node, "a.b");
  auto got = client.receive_message();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->subject, "sums.a%2Eb");
  EXPECT_EQ(got->body, "5");
  EXPECT_EQ(got->more["ce-id"], id);
  EXPECT_EQ(got->more["ce-specversion"], "1.0");
  EXPECT_EQ(got->more["ce-source"], "/functions/add");
  EXPECT_EQ(got->more["ce-type"], "troupe.work.succeeded");
  EXPECT_EQ(got->more["ce-subject"], "a.b");
  EXPECT_EQ(got->more["Content-Type"], "application/json");
  EXPECT_EQ(dead_letters(node, server.url()), 0);
}

TEST(nats_destination, is_told_once_it_is_there) {
  nats_server server;
  server.stop();
  testing::temporary_folder folder;
  auto settings =
    settings_of(folder.path(), server.url() + "/sums.{key}", server.url());
  node_process node{settings};
  auto id = add(node);
  EXPECT_TRUE(eventually([&] {
    return get(node, "/queue/invocations?state=queued&lane=" + server.url())
             .body.find("receiver_unreachable")
           != std::string::npos;
  }));
  server.start();
  nats_client client{server.url()};
  client.add_stream("SUMS", "sums.>");
  EXPECT_TRUE(eventually([&] { return client.messages_of("SUMS") >= 1; }));
}

TEST(nats_destination, has_each_event_once_in_its_stream) {
  nats_server server;
  testing::temporary_folder folder;
  auto settings =
    settings_of(folder.path(), server.url() + "/sums.{key}", server.url());
  nats_client client{server.url()};
  client.add_stream("SUMS", "sums.>");
  auto node = std::make_unique<node_process>(settings);
  constexpr uint64_t count = 200;
  for (uint64_t i = 0; i < count; ++i) {
    add(*node);
    if (i == 50) {
      node->kill();
      node = std::make_unique<node_process>(settings);
    }
    if (i == 120) {
      server.kill();
      server.start();
    }
  }
  EXPECT_TRUE(eventually([&] { return client.messages_of("SUMS") >= count; }))
    << client.messages_of("SUMS");
  EXPECT_TRUE(eventually([&] {
    auto queue = json::parse(get(*node, "/queue").body).at("lanes");
    return queue.empty();
  }))
    << get(*node, "/queue").body;
  EXPECT_EQ(client.messages_of("SUMS"), count) << "none came twice";
}

TEST(mqtt_destination, is_told_with_properties) {
  mosquitto_server broker;
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), broker.url() + "/sums/{key}", broker.url())};
  mqtt_client client{broker.port()};
  client.subscribe("sums/#");
  auto id = add(node, "a%2Fb");
  auto got = client.receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->topic, "sums/a%2Fb");
  EXPECT_EQ(got->body, "5");
  EXPECT_EQ(got->content_type, "application/json");
  EXPECT_EQ(got->qos, 1);
  auto& more = got->properties;
  EXPECT_EQ(more["id"], id);
  EXPECT_EQ(more["specversion"], "1.0");
  EXPECT_EQ(more["source"], "/functions/add");
  EXPECT_EQ(more["type"], "troupe.work.succeeded");
  EXPECT_EQ(more["subject"], "a/b");
}

TEST(mqtt_destination, is_told_of_everything_though_all_are_killed) {
  mosquitto_server broker;
  testing::temporary_folder folder;
  auto settings =
    settings_of(folder.path(), broker.url() + "/sums/{key}", broker.url());
  auto node = std::make_unique<node_process>(settings);
  std::set<std::string> wanted;
  std::set<std::string> got;
  auto take = [&](mqtt_client& client) {
    auto x = client.receive(100ms);
    if (x)
      got.insert(x->properties["id"]);
    return x.has_value();
  };
  auto client = std::make_unique<mqtt_client>(broker.port());
  client->subscribe("sums/#");
  for (int i = 0; i < 100; ++i) {
    wanted.insert(add(*node));
    if (i == 30) {
      node->kill();
      node = std::make_unique<node_process>(settings);
    }
    if (i == 60) {
      while (take(*client)) {
      }
      broker.kill();
      broker.start();
      client = std::make_unique<mqtt_client>(broker.port());
      client->subscribe("sums/#");
    }
  }
  EXPECT_TRUE(eventually([&] {
    take(*client);
    return json::parse(get(*node, "/queue").body).at("lanes").empty();
  }));
  while (take(*client)) {
  }
  EXPECT_EQ(dead_letters(*node, broker.url()), 0);
  // What mosquitto had acknowledged when it was killed may be gone with it.
  EXPECT_GE(got.size(), 98u);
  for (auto& x : got)
    EXPECT_TRUE(wanted.contains(x)) << x;
}

TEST(mqtt_destination, may_refuse_a_topic_for_good) {
  testing::temporary_folder rules;
  auto file = rules.path() / "acl";
  std::ofstream{file} << "topic read #\n";
  mosquitto_server broker{"allow_anonymous true\nacl_file " + file.string()
                          + "\n"};
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), broker.url() + "/sums/{key}", broker.url())};
  add(node);
  EXPECT_TRUE(
    eventually([&] { return dead_letters(node, broker.url()) == 1; }));
  EXPECT_THAT(
    get(node, "/queue/invocations?state=dead_lettered&lane=" + broker.url())
      .body,
    HasSubstr("not authorized"));
}

/// A broker that knows MQTT 3.1.1 alone, and takes one message.
class old_broker {
public:
  old_broker() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto any = reinterpret_cast<sockaddr*>(&at);
    EXPECT_EQ(::bind(fd_, any, size), 0);
    EXPECT_EQ(::listen(fd_, 4), 0);
    ::getsockname(fd_, any, &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread{[this] { run(); }};
  }

  ~old_broker() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }

  std::string url() const {
    return "mqtt://127.0.0.1:" + std::to_string(port_);
  }

  /// Once the node has sent it.
  mqtt::publish taken() {
    EXPECT_TRUE(eventually([&] { return is_done_.load(); }));
    return taken_;
  }

private:
  void run() {
    while (!is_done_) {
      auto peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0)
        return;
      serve(peer);
      ::close(peer);
    }
  }

  void serve(int peer) {
    mqtt::frame_reader frames{1 << 20};
    char buffer[4096];
    for (;;) {
      auto size = ::recv(peer, buffer, sizeof buffer, 0);
      if (size <= 0)
        return;
      frames.add({buffer, static_cast<size_t>(size)});
      while (auto x = frames.next())
        if (!take(peer, *x))
          return;
    }
  }

  bool take(int peer, const mqtt::frame& x) {
    if (x.type == mqtt::packet_type::connect) {
      auto is_known = x.body.at(6) == 4; // after the name "MQTT"
      return reply(peer, {0x20, 2, 0, is_known ? '\0' : '\1'}) && is_known;
    }
    if (x.type != mqtt::packet_type::publish)
      return true;
    taken_ = mqtt::read_publish(mqtt::protocol::v3_1_1, x.flags, x.body);
    auto id = taken_.id;
    reply(peer, {0x40, 2, static_cast<char>(id >> 8), static_cast<char>(id)});
    is_done_ = true;
    return true;
  }

  static bool reply(int peer, std::string bytes) {
    return ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0;
  }

  int fd_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
  mqtt::publish taken_;
  std::atomic<bool> is_done_{false};
};

TEST(mqtt_destination, that_has_no_properties_gets_all_in_the_body) {
  old_broker broker;
  testing::temporary_folder folder;
  node_process node{
    settings_of(folder.path(), broker.url() + "/sums/{key}", broker.url())};
  auto id = add(node);
  auto got = broker.taken();
  EXPECT_EQ(got.topic, "sums/k");
  auto event = json::parse(got.body, nullptr, false);
  EXPECT_EQ(event.value("specversion", ""), "1.0");
  EXPECT_EQ(event.value("id", ""), id);
  EXPECT_EQ(event.value("data", 0), 5);
}

} // namespace
} // namespace troupe::test
