// Every node of a cluster is restarted, one after the other, while clients call
// services and functions through all of them, as they would through a load
// balancer. Nobody sees a failure, and no call is lost or done twice: not when
// each is replaced by a node of a newer build either, whose wire is one version
// ahead, nor on the way back; only calls that the older ones do not know wait for
// the end of it. Builds that are further apart refuse each other.

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "actors/core/wire_version.hpp"
#include "tests/support/history_clients.hpp"
#include "tests/support/kept_evidence.hpp"
#include "tests/support/load_balancer.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {
namespace {

using ::testing::ContainsRegex;

constexpr uint32_t keys = 6;
constexpr uint32_t clients_per_key = 4; // of each kind of service
constexpr uint32_t function_clients = 8;
constexpr uint32_t lock_clients = 4;

constexpr uint32_t before = wire::version - 1;

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

/// What the nodes speak: some of them the version before, or none.
enum class wires : uint8_t { both, newer };

/// What calls that show a lock came to.
class lock_outcomes {
public:
  /// Calls that are made from now on.
  void begin(wires now) { now_ = now; }

  wires now() const { return now_; }

  void completed_one(wires when) { ++of(when).completed; }

  void refused_one(wires when) { ++of(when).refused; }

  void failed(const std::string& why) {
    std::lock_guard guard{mutex_};
    ++failures_[why];
  }

  size_t completed(wires when) { return of(when).completed; }

  size_t refused(wires when) { return of(when).refused; }

  history_reasons failures() const {
    std::lock_guard guard{mutex_};
    return failures_;
  }

private:
  struct counts {
    std::atomic<size_t> completed{0};
    std::atomic<size_t> refused{0};
  };

  counts& of(wires when) { return counts_[static_cast<size_t>(when)]; }

  std::atomic<wires> now_{wires::both};
  std::array<counts, 2> counts_;
  mutable std::mutex mutex_; // guards failures_
  history_reasons failures_;
};

/// Holds a lock, and increments a counter by calls that show it: the count tells
/// whether what was refused was done nevertheless.
class lock_client final : public history_client {
public:
  lock_client(node_address& where, uint64_t seed, std::string name,
              lock_outcomes& to)
    : history_client(where, seed), name_(std::move(name)), to_(to) {}

protected:
  bool call(const node_place& at) override {
    return token_ ? increment(at) : acquire(at);
  }

private:
  bool acquire(const node_place& at) {
    auto [how, answer] =
      ask(at, "/locks/" + name_, R"({"ttlMs":60000,"waitMs":2000})");
    if (answer.status == 200)
      token_ = nlohmann::json::parse(answer.body).at("token").get<uint64_t>();
    else
      to_.failed("acquire: " + answer.body);
    return how != sent::refused;
  }

  bool increment(const node_place& at) {
    auto when = to_.now();
    auto [how, answer] =
      ask(at, "/services/counter/" + name_ + "/increment", "1",
          {"Troupe-Lock: " + name_ + "=" + std::to_string(*token_)});
    if (answer.status == 200 && answer.body == std::to_string(count_ + 1)) {
      ++count_;
      to_.completed_one(when);
    } else if (answer.error_type() == "not_implemented"
               && answer.effect() == "none") {
      to_.refused_one(when);
    } else {
      to_.failed(answer.status == 0 ? "broken" : answer.body);
    }
    return how != sent::refused;
  }

  const std::string name_;
  lock_outcomes& to_;
  std::optional<uint64_t> token_;
  uint64_t count_ = 0;
};

/// What `asked` and `peer` speak, as `asked` has it; 0: there was no link.
uint32_t wire_version(test::node_process& asked, const std::string& peer) {
  auto text = test::get(asked, "/metrics").body;
  auto line = "troupe_link_wire_version{node=\"" + peer + "\"} ";
  auto at = text.find(line);
  return at == text.npos
           ? 0
           : static_cast<uint32_t>(std::stoul(text.substr(at + line.size())));
}

class rolling_restart : public ::testing::TestWithParam<test::store_kind> {
protected:
  void start(const std::vector<std::string>& ids) {
    for (auto& id : ids)
      balancer_.watch(id, nodes_.start(id));
    for (auto& id : ids)
      EXPECT_TRUE(test::eventually(
        [&] { return nodes_.seen_by(id).size() == ids.size(); }));
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
    EXPECT_EQ(nodes_[id].stop(), 0) << id;
    balancer_.watch(id, nodes_.start(id));
    EXPECT_TRUE(test::eventually([&] { return balancer_.is_ready(id); })) << id;
  }

  void end() {
    where_.close();
    clients_.join();
  }

  std::string why_not_started(const char* id);

  /// Waits until a and b speak that version to each other.
  void expect_to_speak(uint32_t version) {
    auto between = [&](const char* asked, const char* peer) {
      return wire_version(nodes_[asked], peer);
    };
    EXPECT_TRUE(test::eventually([&] {
      return between("a", "b") == version && between("b", "a") == version;
    }))
      << between("a", "b") << " instead of " << version;
  }

  /// A store that answers nobody for longer than a lease is a fault of its own,
  /// whatever the machine was busy with: nodes log it, and say that they do not
  /// serve meanwhile.
  bool store_stood_still() const {
    for (auto& file : std::filesystem::directory_iterator{evidence_.path()}) {
      std::ifstream log{file.path()};
      std::string text{std::istreambuf_iterator<char>{log}, {}};
      if (text.find("no answer within") != text.npos)
        return true;
    }
    return false;
  }

  template <class Spec>
  void expect_all_completed(const history<Spec>& all) {
    auto counts = all.counts();
    auto reasons = all.reasons();
    auto without_store = reasons["store_unavailable"];
    if (without_store > 0 && store_stood_still())
      std::cout << "the store stood still: " << without_store
                << " operations were told so\n";
    else
      without_store = 0;
    EXPECT_EQ(counts.completed + without_store, counts.operations) << reasons;
  }

  void expect_no_failure() {
    end();
    expect_all_completed(counters_);
    expect_all_completed(registers_);
    EXPECT_TRUE(functions_.failures().empty()) << functions_.failures();
    EXPECT_GT(functions_.completed(), 100u);
    EXPECT_TRUE(is_linearizable(counters_));
    EXPECT_TRUE(is_linearizable(registers_));
    report();
  }

  test::cluster_settings settings() {
    test::cluster_settings result;
    result.store = store_.get();
    result.logs = evidence_.path();
    return result;
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
  test::node_cluster nodes_{settings()};
  history<counter_specification> counters_;
  history<register_specification> registers_;
  function_outcomes functions_;
  lock_outcomes locks_;
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

// -- another wire --------------------------------------------------------------

TEST_P(rolling_restart, to_a_newer_wire_and_a_step_back_fails_no_call) {
  nodes_.use(TROUPE_WIRE_BEFORE);
  start({"a", "b", "c"});
  for (uint32_t i = 0; i < lock_clients; ++i)
    clients_.start(std::make_unique<lock_client>(
      where_, random_(), "lock-" + std::to_string(i), locks_));
  expect_to_speak(before);
  where_.wait_for(500);
  nodes_.use({});
  restart("a");
  expect_to_speak(before); // the lower one of two
  where_.wait_for(500);
  restart("b");
  expect_to_speak(wire::version);
  restart("c");
  locks_.begin(wires::newer);
  where_.wait_for(2000);
  locks_.begin(wires::both);
  nodes_.use(TROUPE_WIRE_BEFORE);
  restart("b");
  expect_to_speak(before);
  where_.wait_for(500);
  expect_no_failure();
  // A node that does not know of locks would not check them.
  EXPECT_GT(locks_.refused(wires::both), 0u);
  EXPECT_EQ(locks_.refused(wires::newer), 0u);
  EXPECT_GT(locks_.completed(wires::newer), 0u);
  EXPECT_TRUE(locks_.failures().empty()) << locks_.failures();
  std::cout << "calls that show locks, beside the older wire: "
            << locks_.completed(wires::both) << " done, "
            << locks_.refused(wires::both)
            << " refused; without it: " << locks_.completed(wires::newer)
            << " done\n";
}

/// What a node that must not start says; a store that does not answer on a busy
/// machine is no reason.
std::string rolling_restart::why_not_started(const char* id) {
  for (int tries = 1;; ++tries)
    try {
      nodes_.start(id);
      return "it joined";
    } catch (const std::runtime_error& e) {
      std::string result = e.what();
      if (tries == 5 || result.find("store_unavailable") == result.npos)
        return result;
    }
}

TEST_P(rolling_restart, to_a_wire_too_far_ahead_is_refused) {
  auto text = [](const char* node, uint32_t there, uint32_t here) {
    return std::string{"node '"} + node + "' speaks version "
           + std::to_string(there) + " of the wire, this one "
           + std::to_string(here);
  };
  start({"a", "b"});
  where_.wait_for(200);
  nodes_.use(TROUPE_WIRE_TWO_AHEAD);
  auto told = why_not_started("c");
  auto why = text("[ab]", wire::version, wire::version + 2);
  EXPECT_THAT(told, ContainsRegex("cannot join the cluster: " + why));
  EXPECT_THAT(
    told, ContainsRegex("error: bad_request: the node cannot start: " + why));
  for (auto id : {"a", "b"})
    EXPECT_TRUE(test::eventually([&] {
      return nodes_[id].log().find(
               "a node cannot join the cluster: "
               + text("c", wire::version + 2, wire::version))
             != std::string::npos;
    }))
      << nodes_[id].log();
  where_.wait_for(200);
  expect_to_speak(wire::version);
  expect_no_failure();
}

INSTANTIATE_TEST_SUITE_P(on, rolling_restart,
                         ::testing::ValuesIn(test::shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::testing
