// Counters that a broker feeds, in a cluster of three nodes that are killed at
// random (-9) while the broker is restarted: no message is lost, none counts
// twice.
//
// A message counts by its own amount, so that one that is lost cannot hide one
// that counts twice. The sender keeps a bounded number ahead of what has been
// counted: so each fault finds messages under way, and each is felt.
//
// TROUPE_MESSAGES sets how many messages there are, a fault for each 500 of
// them; TROUPE_SEED with which chances.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/broker.hpp"
#include "tests/support/history.hpp"
#include "tests/support/kept_evidence.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/nats_client.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::test {

namespace {

using json = nlohmann::json;
using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int keys = 7;
constexpr int messages_a_fault = 500;

/// How much the sender is ahead of what was counted, at most: about 300
/// messages.
constexpr int64_t ahead_max = 2'100;

/// Far more than a takeover and the start of a broker.
constexpr auto patience = 60s;

struct reading {
  int number = 0;
  std::string key{};
  int by = 0;
};

/// A broker whose messages come to counters, and a client of it that sends.
class feed {
public:
  virtual ~feed() = default;

  virtual std::string subscription() const = 0;

  /// From now on it keeps what is sent.
  virtual bool keeps_messages() = 0;

  /// Returns when the broker has it, also if that is away for a while.
  /// @throws std::runtime_error if it is for long
  virtual void send(const reading& x) = 0;

  virtual void restart() = 0;

  /// How often it has brought a message again.
  virtual uint64_t redelivered(int sent) = 0;

  virtual std::string log() const = 0;
};

class jetstream_feed final : public feed {
public:
  jetstream_feed() { client_.add_stream("METERS", "meters.*.reading"); }

  std::string subscription() const override {
    return "meters=broker:" + server_.url()
           + ",topic:meters.{key}.reading,stream:METERS,service:counter,"
             "method:increment,pause:50ms,ack-wait:1s";
  }

  bool keeps_messages() override { return true; }

  void send(const reading& x) override {
    client_.publish_to_stream("meters." + x.key + ".reading",
                              std::to_string(x.by),
                              "m" + std::to_string(x.number));
  }

  void restart() override {
    server_.kill();
    server_.start();
  }

  uint64_t redelivered(int sent) override {
    nats_client::pending found;
    EXPECT_TRUE(eventually([&] {
      found = client_.look_at("METERS", "troupe-meters");
      return found.not_delivered + found.not_acknowledged == 0;
    }));
    return found.deliveries - static_cast<uint64_t>(sent);
  }

  std::string log() const override { return server_.log(); }

private:
  nats_server server_;
  nats_client client_{server_.url()};
};

class mqtt_feed final : public feed {
public:
  std::string subscription() const override {
    return "meters=broker:" + broker_.url()
           + ",topic:meters/{key}/reading,service:counter,method:increment,"
             "identity:property:id,pause:50ms";
  }

  bool keeps_messages() override {
    return log().find("SUBACK to troupe-meters") != std::string::npos;
  }

  /// Again as the same message, if it is not known whether the broker has it.
  void send(const reading& x) override {
    for (auto until = clock::now() + patience;;) {
      try {
        if (!client_)
          client_ = std::make_unique<mqtt_client>(broker_.port());
        return client_->publish(
          {.topic = "meters/" + x.key + "/reading",
           .body = std::to_string(x.by),
           .qos = 1,
           .properties = {{"id", "m" + std::to_string(x.number)}}});
      } catch (const std::runtime_error&) {
        client_.reset();
        if (clock::now() > until)
          throw;
        std::this_thread::sleep_for(5ms);
      }
    }
  }

  void restart() override {
    broker_.stop();
    broker_.start();
  }

  uint64_t redelivered(int) override {
    const std::string again = "Sending PUBLISH to troupe-meters (d1";
    auto text = log();
    uint64_t result = 0;
    for (size_t at = 0; (at = text.find(again, at)) != text.npos; ++at)
      ++result;
    return result;
  }

  std::string log() const override { return broker_.log(); }

private:
  mosquitto_server broker_;
  std::unique_ptr<mqtt_client> client_;
};

/// Sends all messages from a thread of its own, no faster than it may.
class sender {
public:
  sender(feed& to, std::vector<reading> all)
    : all_(std::move(all)), thread_([this, &to] { run(to); }) {}

  ~sender() {
    counted(INT64_MAX / 2); // so that it ends
    thread_.join();
  }

  /// So much of what it sent has been counted.
  void counted(int64_t sum) {
    std::lock_guard guard{mutex_};
    counted_ = std::max(counted_, sum);
    changed_.notify_all();
  }

  /// Why it gave up; empty: it did not.
  std::string failure() {
    std::lock_guard guard{mutex_};
    return failure_;
  }

private:
  void run(feed& to) {
    int64_t sent = 0;
    try {
      for (auto& x : all_) {
        {
          std::unique_lock guard{mutex_};
          changed_.wait(guard, [&] { return sent - counted_ < ahead_max; });
        }
        to.send(x);
        sent += x.by;
      }
    } catch (const std::exception& e) {
      std::lock_guard guard{mutex_};
      failure_ = e.what();
    }
  }

  const std::vector<reading> all_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  int64_t counted_ = 0;
  std::string failure_;
  std::thread thread_;
};

enum class fault : uint8_t {
  a_node_dies,
  two_nodes_die,
  the_broker_restarts,
  both,
};

constexpr fault all_faults[] = {fault::a_node_dies, fault::two_nodes_die,
                                fault::the_broker_restarts, fault::both};

struct faulty_feed {
  const char* broker;
  std::unique_ptr<feed> (*make)();
  store_kind store;
};

std::ostream& operator<<(std::ostream& out, const faulty_feed& x) {
  return out << x.broker << " on " << x.store;
}

std::vector<faulty_feed> faulty_feeds() {
  auto jetstream = [] {
    return std::unique_ptr<feed>{std::make_unique<jetstream_feed>()};
  };
  auto mqtt = [] {
    return std::unique_ptr<feed>{std::make_unique<mqtt_feed>()};
  };
  std::vector<faulty_feed> result;
  for (auto& store : shared_stores()) {
    result.push_back({"jetstream", jetstream, store});
    result.push_back({"mqtt", mqtt, store});
  }
  return result;
}

class message_faults : public ::testing::TestWithParam<faulty_feed> {
protected:
  void SetUp() override {
    cluster_settings settings;
    settings.store = store_.get();
    settings.logs = evidence_.path();
    settings.options = {"--subscribe", feed_->subscription()};
    nodes_ = std::make_unique<node_cluster>(settings);
    nodes_->start_all(ids_);
    ASSERT_TRUE(eventually([&] { return feed_->keeps_messages(); }));
    for (int i = 0; i < messages_; ++i) {
      all_.push_back({i, "k" + std::to_string(random_() % keys),
                      static_cast<int>(random_() % 13) + 1});
      sums_[all_.back().key] += all_.back().by;
      sum_ += all_.back().by;
    }
  }

  void TearDown() override {
    if (testing::kept_evidence::is_kept())
      evidence_.file("broker") << feed_->log();
  }

  // -- faults ----------------------------------------------------------------

  /// Each of them once, then again in another order.
  fault next_fault() {
    if (to_come_.empty()) {
      to_come_.assign(std::begin(all_faults), std::end(all_faults));
      std::shuffle(to_come_.begin(), to_come_.end(), random_);
    }
    auto result = to_come_.back();
    to_come_.pop_back();
    return result;
  }

  void strike(fault what) {
    auto order = ids_;
    std::shuffle(order.begin(), order.end(), random_);
    size_t dying = what == fault::the_broker_restarts ? 0
                   : what == fault::two_nodes_die     ? 2
                                                      : 1;
    order.resize(dying);
    for (auto& id : order)
      (*nodes_)[id].kill();
    if (what == fault::the_broker_restarts || what == fault::both)
      feed_->restart();
    for (auto& id : order)
      nodes_->start(id);
    killed_ += dying;
    restarted_ += what == fault::the_broker_restarts || what == fault::both;
  }

  // -- what came of it -------------------------------------------------------

  json read(const std::string& path) {
    auto body = get((*nodes_)[ids_[random_() % ids_.size()]], path).body;
    return json::parse(body, nullptr, false);
  }

  int64_t value_of(const std::string& key) {
    auto state = read("/services/counter/" + key);
    return state.is_object() ? state.value("value", int64_t{0}) : 0;
  }

  int64_t count_all() {
    int64_t result = 0;
    for (auto& [key, sum] : sums_)
      result += value_of(key);
    return result;
  }

  /// Until so much is counted. False if nothing more comes.
  bool wait_for(int64_t sum, sender& from) {
    int64_t last = -1;
    auto last_time = clock::now();
    for (;;) {
      auto now = count_all();
      from.counted(now);
      if (now >= sum)
        return true;
      if (std::exchange(last, now) != now)
        last_time = clock::now();
      else if (clock::now() - last_time > patience)
        return false;
      if (!from.failure().empty())
        return false;
      // Between two looks, each of which takes some ports for a minute.
      std::this_thread::sleep_for(50ms);
    }
  }

  void run() {
    auto faults = std::max(3, messages_ / messages_a_fault);
    sender from{*feed_, all_};
    for (int i = 0; i < faults; ++i) {
      ASSERT_TRUE(wait_for(sum_ * (i + 1) / (faults + 2), from))
        << count_all() << " of " << sum_ << " " << from.failure();
      strike(next_fault());
    }
    ASSERT_TRUE(wait_for(sum_, from))
      << count_all() << " of " << sum_ << " " << from.failure();
  }

  /// Behind all others: what comes again is in front of it, or is nowhere.
  void send_the_last() {
    feed_->send({messages_, "last", 1});
    EXPECT_TRUE(eventually([&] { return value_of("last") == 1; }));
    EXPECT_TRUE(eventually([&] {
      uint64_t in_flight = 0;
      for (auto& id : ids_)
        in_flight += json::parse(get((*nodes_)[id], "/subscriptions").body)
                       .at("subscriptions")
                       .at(0)
                       .at("inFlight")
                       .get<uint64_t>();
      return in_flight == 0;
    }));
  }

  const uint64_t seed_ = testing::history_seed();
  std::mt19937_64 random_{seed_};
  const int messages_ = messages_of_tests();
  testing::kept_evidence evidence_;
  std::unique_ptr<feed> feed_ = GetParam().make();
  std::unique_ptr<shared_store> store_ = GetParam().store.make();
  const words ids_{"a", "b", "c"};
  std::unique_ptr<node_cluster> nodes_;
  std::vector<reading> all_;
  std::map<std::string, int64_t> sums_;
  int64_t sum_ = 0;
  std::vector<fault> to_come_;
  size_t killed_ = 0;
  size_t restarted_ = 0;
};

} // namespace

TEST_P(message_faults, the_sum_is_exact) {
  auto begin = clock::now();
  ASSERT_NO_FATAL_FAILURE(run());
  send_the_last();
  for (auto& [key, sum] : sums_)
    EXPECT_EQ(value_of(key), sum) << key;
  EXPECT_EQ(read("/queue/invocations?state=dead_lettered")["invocations"],
            json::array());
  auto again = feed_->redelivered(messages_ + 1);
  EXPECT_GT(again, 0u) << "nothing was tested";
  auto seconds = std::chrono::duration<double>(clock::now() - begin).count();
  std::cout << GetParam() << ": " << messages_ << " messages, " << killed_
            << " nodes killed, " << restarted_ << " restarts of the broker, "
            << again << " redeliveries, " << seconds << " s" << std::endl;
}

INSTANTIATE_TEST_SUITE_P(of, message_faults,
                         ::testing::ValuesIn(faulty_feeds()), [](auto& x) {
                           return std::string{x.param.broker} + "_on_"
                                  + x.param.store.name;
                         });

} // namespace troupe::test
