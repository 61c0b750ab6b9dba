// Real nodes that are killed, paused, drained, cut off from each other and from
// their store, and stores that are killed and stand still, while clients are in
// the middle of their calls, at whatever node. What the clients
// saw of a key must have an explanation by one object that did each operation
// once, at some moment between its call and its answer, and lost nothing.
//
// Each round has keys of its own and one fault. What was unknown in it stays
// open: a paused node may bring it about when it wakes. Afterwards, and once
// more at the very end, after all nodes were killed, every key is read. If nobody
// reached the store, then nobody was taken for dead.
//
// TROUPE_FAULT_ROUNDS sets how many rounds there are, TROUPE_SEED with which
// chances, TROUPE_FAULTS (a number, see `fault`) that one fault alone.

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/history_clients.hpp"
#include "tests/support/kept_evidence.hpp"
#include "tests/support/machine_watch.hpp"
#include "tests/support/nemesis.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {
namespace {

constexpr uint32_t clients_per_key = 8;

constexpr uint32_t keys_per_round = 2; // of each kind

/// Operations before a fault begins, and after it is over: what a fault hits is
/// few of all.
constexpr size_t operations_before_min = 150;
constexpr size_t operations_before_max = 600;
constexpr size_t operations_after = 600;

/// Nodes that come back to a store have 3 s to say that they live. When the
/// machine itself stands still for longer, that is not asked of them.
constexpr std::chrono::milliseconds stop_max{500};

/// The client that reads when all others have ended.
constexpr uint32_t reader = 1000;

/// What was asked for in one round, and how it ended.
struct round_history {
  std::string name;
  history<counter_specification> counters;
  history<register_specification> registers;

  history_reasons reasons() const {
    auto result = counters.reasons();
    for (auto& [reason, count] : registers.reasons())
      result[reason] += count;
    return result;
  }

  /// See `history::hit`.
  size_t hit(nemesis::clock::time_point from,
             nemesis::clock::time_point to) const {
    return counters.hit(from, to) + registers.hit(from, to);
  }

  std::string key(uint32_t i) const { return name + "-" + std::to_string(i); }

  history_counts counts() const {
    auto result = counters.counts();
    result += registers.counts();
    return result;
  }
};

class cluster_faults : public ::testing::TestWithParam<test::store_kind> {
protected:
  void begin(std::vector<std::string> ids, bool with_network) {
    ids_ = std::move(ids);
    if (with_network)
      network_ = std::make_unique<test::test_network>(ids_.size() + 1);
    auto network = network_.get();
    store_ = GetParam().make({network, ids_.size()});
    test::cluster_settings settings;
    settings.store = store_.get();
    settings.network = network;
    settings.logs = evidence_.path();
    nodes_ = std::make_unique<test::node_cluster>(settings);
    for (auto& id : ids_)
      nodes_->start(id);
    nemesis_ = std::make_unique<nemesis>(*nodes_, ids_, *store_, network,
                                         random_(), story_, start_);
  }

  /// Each of `faults` as often as the others, in an order of chance.
  void run(const std::vector<fault>& faults, uint64_t rounds) {
    std::vector<fault> order;
    for (uint64_t i = 0; i < rounds && !HasFailure(); ++i) {
      if (order.empty()) {
        order = faults;
        std::shuffle(order.begin(), order.end(), random_);
      }
      round(i, order.back());
      order.pop_back();
    }
    if (!HasFailure())
      finish();
    report(rounds);
  }

  uint64_t seed_ = history_seed();
  std::mt19937_64 random_{seed_};

private:
  void round(uint64_t number, fault what) {
    auto& x = rounds_.emplace_back();
    x.name = "r" + std::to_string(number);
    node_address where;
    client_threads clients;
    start_clients(x, where, clients);
    nemesis_->clients(where);
    where.wait_for(operations_before_min
                   + random_()
                       % (operations_before_max - operations_before_min));
    auto before = x.counts().unknown;
    auto is_outage = GetParam().is_server && is_store_outage(what);
    machine_.longest_stop();
    auto dead_before = is_outage ? declared_dead() : 0;
    auto begin = nemesis::clock::now();
    auto end = begin;
    try {
      nemesis_->strike(what, some_victim(x));
      end = nemesis::clock::now();
      where.wait_for(operations_after);
      wait_until_all_serve(x);
    } catch (const std::runtime_error& e) {
      ADD_FAILURE() << e.what();
    }
    where.close();
    clients.join();
    auto hit = x.hit(begin, end);
    hits_ += x.counts().unknown > before || hit > 0 ? 1 : 0;
    std::cout << x.name << ", " << to_string(what) << ": " << x.counts() << ' '
              << x.reasons() << "; " << hit << " hit in flight" << std::endl;
    if (is_outage && !HasFailure()) {
      wait_for_verdicts();
      judge_verdicts(declared_dead() - dead_before);
    }
    if (HasFailure())
      return;
    for (auto& id : ids_)
      read_all(x, id);
    check(x);
  }

  /// A node that was away from the store finds its way back by itself.
  void wait_until_all_serve(const round_history& x) {
    std::vector<std::string> paths;
    for (uint32_t i = 0; i < keys_per_round; ++i) {
      paths.push_back("/services/counter/" + x.key(i) + "/get");
      paths.push_back("/services/data_service/" + x.key(i) + "/get_data");
    }
    for (auto& id : ids_)
      for (auto& path : paths)
        EXPECT_TRUE(test::eventually(
          [&] { return test::post((*nodes_)[id], path).status == 200; }))
          << id << path;
  }

  /// @param declared_dead how many were, while nobody reached the store
  void judge_verdicts(double declared_dead) {
    auto stop = std::chrono::duration<double>(machine_.longest_stop());
    if (stop < stop_max)
      EXPECT_EQ(declared_dead, 0);
    else if (declared_dead > 0)
      std::cout << "does not count: " << declared_dead
                << " were taken for dead, and the machine stood still for "
                << stop.count() << " s\n";
  }

  // -- who was taken for dead ------------------------------------------------

  double sum(const std::string& metric) {
    double result = 0;
    for (auto& id : ids_)
      result += nodes_->metric(id, metric);
    return result;
  }

  /// How often somebody was, since the nodes started.
  double declared_dead() {
    return sum("troupe_cluster_nodes_declared_dead_total")
           + sum("troupe_cluster_fenced_total");
  }

  /// Until everybody has renewed its lease for longer than it takes to judge.
  void wait_for_verdicts() {
    constexpr double renewals = 8; // one each half a second
    auto name = "troupe_cluster_lease_renewals_total";
    std::map<std::string, double> until;
    for (auto& id : ids_)
      until[id] = nodes_->metric(id, name) + renewals;
    for (auto& id : ids_)
      EXPECT_TRUE(
        test::eventually([&] { return nodes_->metric(id, name) >= until[id]; }))
        << id;
  }

  void start_clients(round_history& x, node_address& where,
                     client_threads& clients) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < keys_per_round; ++i)
      for (uint32_t j = 0; j < clients_per_key; ++j) {
        clients.start(std::make_unique<counter_client>(
          where, random_(), ++number, x.key(i), x.counters));
        clients.start(std::make_unique<register_client>(
          where, random_(), number, x.key(i), x.registers));
      }
  }

  /// The owner of one of the keys, more often than not.
  std::string some_victim(const round_history& x) {
    if (random_() % 3 != 0)
      if (auto owner = nodes_->owner(ids_.front(), x.key(0)); !owner.empty())
        return owner;
    return ids_[random_() % ids_.size()];
  }

  /// Nobody calls any more: this is what is there.
  void read_all(round_history& x, const std::string& at) {
    auto& node = (*nodes_)[at];
    for (uint32_t i = 0; i < keys_per_round; ++i) {
      auto key = x.key(i);
      auto id = x.counters.begin(reader, key, {});
      auto answer = test::post(node, "/services/counter/" + key + "/get");
      ASSERT_EQ(answer.status, 200u) << at << ": " << answer.body;
      x.counters.completed(id, std::stoll(answer.body));
      id = x.registers.begin(reader, key, {});
      answer = test::post(node, "/services/data_service/" + key + "/get_data");
      auto revision = revision_of(answer);
      ASSERT_TRUE(answer.status == 200 && revision)
        << at << ": " << answer.body;
      x.registers.completed(id, {revision, answer.body, false});
    }
  }

  void check(const round_history& x) {
    EXPECT_TRUE(is_linearizable(x.counters)) << x.name;
    EXPECT_TRUE(is_linearizable(x.registers)) << x.name;
  }

  /// All that was acknowledged, in whichever round, is there for nodes that know
  /// nothing but the store.
  void finish() {
    node_address nobody;
    nemesis_->clients(nobody);
    nemesis_->strike(fault::kill_all, ids_.front());
    for (auto& x : rounds_) {
      read_all(x, ids_[random_() % ids_.size()]);
      check(x);
    }
  }

  void report(uint64_t rounds) {
    history_counts all;
    history_reasons reasons;
    for (auto& x : rounds_) {
      all += x.counts();
      for (auto& [reason, count] : x.reasons())
        reasons[reason] += count;
    }
    std::cout << all << "; " << hits_ << " of " << rounds
              << " faults hit an operation in flight; " << reasons << '\n';
    EXPECT_LE(all.unknown_percent(), 5.0);
    EXPECT_GE(all.completed, rounds * operations_after / 2);
    if (!kept_evidence::is_kept())
      return;
    if (auto server = store_->server())
      evidence_.file("postgres") << server->log();
    auto counters = evidence_.file("counters");
    auto registers = evidence_.file("registers");
    evidence_.file("seed") << seed_ << '\n';
    for (auto& x : rounds_) {
      x.counters.print(counters, start_);
      x.registers.print(registers, start_);
    }
  }

  const nemesis::clock::time_point start_ = nemesis::clock::now();
  kept_evidence evidence_;
  std::ofstream story_ = evidence_.file("story");
  std::unique_ptr<test::test_network> network_;
  std::unique_ptr<test::shared_store> store_;
  std::vector<std::string> ids_;
  std::unique_ptr<test::node_cluster> nodes_;
  std::unique_ptr<nemesis> nemesis_;
  machine_watch machine_;
  std::deque<round_history> rounds_;
  size_t hits_ = 0;
};

/// `TROUPE_FAULTS`, or all of them.
std::vector<fault> chosen_from(std::vector<fault> all) {
  constexpr uint64_t any = ~uint64_t{0};
  auto only = number_from_environment("TROUPE_FAULTS", any);
  if (only != any)
    all = {static_cast<fault>(only)};
  return all;
}

TEST_P(cluster_faults, of_processes_leave_histories_linearizable) {
  begin({"a", "b", "c"}, false);
  run(chosen_from(process_faults()),
      number_from_environment("TROUPE_FAULT_ROUNDS",
                              GetParam().is_server ? 2 : 4));
}

TEST_P(cluster_faults, of_the_network_leave_histories_linearizable) {
  if (auto why = test::test_network::missing(); !why.empty())
    GTEST_SKIP() << "there can be no network of the test's own: " << why;
  begin({"a", "b", "c"}, true);
  auto faults = network_faults();
  if (GetParam().is_server)
    for (auto x : store_network_faults())
      faults.push_back(x);
  run(chosen_from(faults), number_from_environment("TROUPE_FAULT_ROUNDS", 2));
}

class store_server_faults : public cluster_faults {};

TEST_P(store_server_faults, leave_histories_linearizable_and_nobody_dead) {
  begin({"a", "b", "c"}, false);
  run(chosen_from(store_faults()),
      number_from_environment("TROUPE_FAULT_ROUNDS", 3));
}

INSTANTIATE_TEST_SUITE_P(on, store_server_faults,
                         ::testing::ValuesIn(test::shared_servers()),
                         [](auto& x) { return std::string{x.param.name}; });

INSTANTIATE_TEST_SUITE_P(on, cluster_faults,
                         ::testing::ValuesIn(test::shared_stores()),
                         [](auto& x) { return std::string{x.param.name}; });

} // namespace
} // namespace troupe::testing
