// What throws on the threads that speak with brokers ends a connection at most,
// and never the program.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <gtest/gtest.h>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "nodes/events/http_poster.hpp"
#include "nodes/mqtt/mqtt_source.hpp"
#include "nodes/mqtt/publisher.hpp"
#include "nodes/nats/nats_source.hpp"
#include "nodes/nats/publisher.hpp"
#include "nodes/subscription_text.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/nats_client.hpp"
#include "tests/support/node_process.hpp"

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

/// Texts in the order in which they came, from any thread.
class list {
public:
  void add(std::string x) {
    std::lock_guard guard{mutex_};
    all_.push_back(std::move(x));
  }

  std::vector<std::string> all() const {
    std::lock_guard guard{mutex_};
    return all_;
  }

  bool has(const std::string& part) const {
    for (auto& x : all())
      if (x.find(part) != x.npos)
        return true;
    return false;
  }

private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

/// Throws at the first message, and takes the others.
class failing_sink final : public message_sink {
public:
  void take(incoming_message x, callback done) override {
    taken.add(x.body.bytes);
    if (taken.all().size() == 1)
      throw std::runtime_error{"no memory"};
    done({message_fate::done, {}});
  }

  list taken;
};

connection_observer written_to(list& to) {
  return [&to](bool is_there, const std::string& why) {
    to.add(is_there ? "there" : "gone: " + why);
  };
}

std::function<void(expected<payload>)> written_to_as_answer(list& to) {
  return [&to](expected<payload> x) {
    to.add(x ? "done" : std::string{x.error().type()});
  };
}

} // namespace

TEST(failing_thread, of_mqtt_takes_the_message_again) {
  mosquitto_server broker;
  failing_sink sink;
  list news;
  mqtt_source source{
    parse_subscription("m=broker:" + broker.url() + ",topic:a,function:add"),
    sink, written_to(news)};
  source.start();
  ASSERT_TRUE(eventually([&] { return news.has("there"); }));
  mqtt_client client{broker.port()};
  client.publish({.topic = "a", .body = "1", .qos = 1});
  EXPECT_TRUE(eventually([&] { return source.status().acknowledged == 1; }));
  EXPECT_EQ(sink.taken.all(), (std::vector<std::string>{"1", "1"}));
  // The broker may bring what is left in the session before it says so.
  EXPECT_TRUE(eventually([&] { return news.all().size() == 3; }));
  EXPECT_EQ(news.all(),
            (std::vector<std::string>{
              "there", "gone: this node failed: no memory", "there"}));
  EXPECT_EQ(source.status().in_flight, 0u);
  source.stop(5s);
}

TEST(failing_thread, of_nats_goes_on_with_the_next_message) {
  nats_server server;
  nats_client client{server.url()};
  client.add_stream("S", "a");
  client.publish_to_stream("a", "1", "1");
  failing_sink sink;
  list news;
  nats_source source{parse_subscription("m=broker:" + server.url()
                                        + ",topic:a,stream:S,ack-wait:1s,"
                                          "function:add"),
                     sink, written_to(news)};
  source.start();
  EXPECT_TRUE(eventually([&] { return source.status().acknowledged == 1; }));
  EXPECT_EQ(sink.taken.all(), (std::vector<std::string>{"1", "1"}));
  EXPECT_TRUE(news.has("gone: this node failed: no memory"));
  EXPECT_EQ(source.status().in_flight, 0u);
  source.stop(5s);
}

TEST(failing_thread, of_an_mqtt_publisher_answers_and_sends_the_next) {
  mosquitto_server broker;
  list faults;
  list answers;
  mqtt::publisher to{parse_broker(broker.url()).first,
                     {.on_fault = [&](auto& x) { faults.add(x); }}};
  auto message = [](mqtt::protocol) {
    return mqtt::publish{.topic = "a", .body = "1"};
  };
  to.send(
    [](mqtt::protocol) -> mqtt::publish {
      throw std::runtime_error{"no text"};
    },
    written_to_as_answer(answers));
  to.send(message, [](auto&&) { throw std::runtime_error{"no ear"}; });
  to.send(message, written_to_as_answer(answers));
  EXPECT_TRUE(eventually([&] { return answers.all().size() == 2; }));
  EXPECT_EQ(answers.all(),
            (std::vector<std::string>{"internal_error", "done"}));
  EXPECT_TRUE(faults.has("no text"));
  EXPECT_TRUE(faults.has("no ear"));
  to.stop(5s);
}

TEST(failing_thread, of_a_nats_publisher_sends_the_next) {
  nats_server server;
  list faults;
  list answers;
  nats::publisher to{parse_broker(server.url()).first,
                     {.on_fault = [&](auto& x) { faults.add(x); }}};
  to.publish({"a", {}, "1", "1"},
             [](auto&&) { throw std::runtime_error{"no ear"}; });
  to.publish({"a", {}, "2", "2"}, written_to_as_answer(answers));
  EXPECT_TRUE(eventually([&] { return answers.all().size() == 1; }));
  EXPECT_EQ(answers.all(), (std::vector<std::string>{"done"}));
  EXPECT_TRUE(faults.has("no ear"));
  to.stop(5s);
}

TEST(failing_thread, of_http_goes_on) {
  list faults;
  list answers;
  http_poster to{{.on_fault = [&](auto& x) { faults.add(x); }}};
  auto nobody = "http://127.0.0.1:1/";
  to.post({nobody, {}, "1"},
          [](auto&&) { throw std::runtime_error{"no ear"}; });
  to.post({nobody, {}, "2"}, [&](auto x) {
    answers.add(x ? "done" : std::string{x.error().type()});
  });
  EXPECT_TRUE(eventually([&] { return answers.all().size() == 1; }));
  EXPECT_EQ(answers.all(), (std::vector<std::string>{"receiver_unreachable"}));
  EXPECT_TRUE(eventually([&] { return faults.has("no ear"); }));
  to.stop(5s);
}

} // namespace troupe::test
