// Every node of a cluster is restarted, one after the other, while clients call
// services and functions through all of them, as they would through a load
// balancer. Nobody sees a failure, and no call is lost or done twice: not when
// each is replaced by a node of a newer build either, whose wire is one version
// ahead, nor on the way back. Builds that are further apart refuse each other.

#include <iostream>
#include <mutex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/history_clients.hpp"
#include "tests/support/kept_evidence.hpp"
#include "tests/support/load_balancer.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {
namespace {

constexpr uint32_t keys = 6;
constexpr uint32_t clients_per_key = 4; // of each kind of service
constexpr uint32_t function_clients = 8;

/// What calls of functions came to.
class function_outcomes {
public:
  void add(const test::http_answer& x, const std::string& expected) {
    std::lock_guard guard{mutex_};
    if (x.status == 200 && x.body == expected)
      ++completed_;
    else
      ++failures_[x.status == 0 ? "broken" : x.body];
  }

  size_t completed() const {
    std::lock_guard guard{mutex_};
    return completed_;
  }

  history_reasons failures() const {
    std::lock_guard guard{mutex_};
    return failures_;
  }

private:
  mutable std::mutex mutex_;
  size_t completed_ = 0;
  history_reasons failures_;
};

/// Calls functions with and without a routing key, some of which take a while.
class function_client final : public history_client {
public:
  function_client(node_address& where, uint64_t seed, function_outcomes& to)
    : history_client(where, seed), to_(to) {}

protected:
  bool call(const node_place& at) override {
    test::fields more;
    if (random_() % 2 == 0)
      more.push_back("Troupe-Key: " + std::to_string(random_() % 100));
    auto [path, body, expected] =
      random_() % 8 == 0
        ? std::tuple{"/invoke/sleep", std::string{"50"}, std::string{"50"}}
        : std::tuple{"/invoke/add", std::string{"[2,3]"}, std::string{"5"}};
    auto [how, answer] = ask(at, path, body, more);
    to_.add(answer, expected);
    return how != sent::refused;
  }

private:
  function_outcomes& to_;
};

/// What `asked` and `peer` speak, as `asked` has it; 0: there was no link.
double wire_version(test::node_process& asked, const std::string& peer) {
  auto text = test::get(asked, "/metrics").body;
  auto line = "troupe_link_wire_version{node=\"" + peer + "\"} ";
  auto at = text.find(line);
  return at == text.npos ? 0 : std::stod(text.substr(at + line.size()));
}

class rolling_restart : public ::testing::TestWithParam<test::store_kind> {
protected:
  void start(const std::vector<std::string>& ids) {
    test::cluster_settings settings;
    settings.store = store_.get();
    settings.logs = evidence_.path();
    nodes_ = std::make_unique<test::node_cluster>(settings);
    for (auto& id : ids)
      balancer_.watch(id, nodes_->start(id));
    for (auto& id : ids)
      EXPECT_TRUE(test::eventually(
        [&] { return nodes_->seen_by(id).size() == ids.size(); }));
    for (uint32_t i = 0; i < keys; ++i)
      for (uint32_t j = 0; j < clients_per_key; ++j) {
        auto key = "k" + std::to_string(i);
        clients_.start(std::make_unique<counter_client>(
          where_, random_(), ++number_, key, counters_));
        clients_.start(std::make_unique<register_client>(
          where_, random_(), number_, key, registers_));
      }
    for (uint32_t i = 0; i < function_clients; ++i)
      clients_.start(
        std::make_unique<function_client>(where_, random_(), functions_));
  }

  ~rolling_restart() override { end(); }

  void restart(const std::string& id) {
    EXPECT_EQ((*nodes_)[id].stop(), 0) << id;
    balancer_.watch(id, nodes_->start(id));
    EXPECT_TRUE(test::eventually([&] { return balancer_.is_ready(id); })) << id;
  }

  void end() {
    where_.close();
    clients_.join();
  }

  /// Waits until a and b speak that version to each other.
  bool speak(double version) {
    return test::eventually([&] {
      return wire_version((*nodes_)["a"], "b") == version
             && wire_version((*nodes_)["b"], "a") == version;
    });
  }

  void expect_no_failure() {
    end();
    EXPECT_EQ(counters_.counts().completed, counters_.counts().operations)
      << counters_.reasons();
    EXPECT_EQ(registers_.counts().completed, registers_.counts().operations)
      << registers_.reasons();
    EXPECT_TRUE(functions_.failures().empty()) << functions_.failures();
    EXPECT_GT(functions_.completed(), 100u);
    EXPECT_TRUE(is_linearizable(counters_));
    EXPECT_TRUE(is_linearizable(registers_));
    report();
  }

  void report() {
    auto all = counters_.counts();
    all += registers_.counts();
    auto longest = std::chrono::duration<double>(
      std::max(counters_.longest(), registers_.longest()));
    std::cout << all << ' ' << counters_.reasons() << registers_.reasons()
              << ", the longest took " << longest.count() << " s; "
              << functions_.completed() << " calls of functions "
              << functions_.failures() << '\n';
    if (!kept_evidence::is_kept())
      return;
    auto counters = evidence_.file("counters");
    auto registers = evidence_.file("registers");
    counters_.print(counters, start_);
    registers_.print(registers, start_);
  }

  uint64_t seed_ = history_seed();
  std::mt19937_64 random_{seed_};
  const std::chrono::steady_clock::time_point start_ =
    std::chrono::steady_clock::now();
  kept_evidence evidence_;
  std::unique_ptr<test::shared_store> store_ = GetParam().make();
  std::unique_ptr<test::node_cluster> nodes_;
  history<counter_specification> counters_;
  history<register_specification> registers_;
  function_outcomes functions_;
  node_address where_;
  load_balancer balancer_{where_};
  client_threads clients_;
  uint32_t number_ = 0;
};

TEST_P(rolling_restart, of_five_nodes_fails_no_call) {
  const std::vector<std::string> ids{"a", "b", "c", "d", "e"};
  start(ids);
  where_.wait_for(1000);
  for (auto& id : ids)
    restart(id);
  where_.wait_for(1000);
  expect_no_failure();
}

TEST_P(rolling_restart, to_a_newer_wire_and_back_fails_no_call) {
  start({"a", "b", "c"});
  where_.wait_for(500);
  EXPECT_TRUE(speak(1));
  nodes_->use(TROUPE_WIRE_AHEAD_1);
  restart("a");
  EXPECT_TRUE(speak(1)) << "the lower one of two";
  where_.wait_for(500);
  restart("b");
  EXPECT_TRUE(speak(2));
  restart("c");
  where_.wait_for(500);
  nodes_->use({});
  restart("b");
  EXPECT_TRUE(speak(1));
  where_.wait_for(500);
  restart("a");
  restart("c");
  EXPECT_TRUE(speak(1));
  where_.wait_for(500);
  expect_no_failure();
}

TEST_P(rolling_restart, to_a_wire_too_far_ahead_is_refused) {
  start({"a"});
  where_.wait_for(100);
  nodes_->use(TROUPE_WIRE_AHEAD_2);
  try {
    nodes_->start("b");
    ADD_FAILURE() << "it joined";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(),
                ::testing::HasSubstr(
                  "node 'a' speaks version 1 of the wire, this one 3"));
  }
  where_.wait_for(100);
  expect_no_failure();
}

INSTANTIATE_TEST_SUITE_P(on, rolling_restart,
                         ::testing::ValuesIn(test::shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::testing
