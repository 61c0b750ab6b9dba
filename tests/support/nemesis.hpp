// What goes wrong in a cluster, by chances that a seed decides. A fault begins
// and ends within `strike`: afterwards every node runs and is whole, and what is
// left to see is whether all that was promised still holds.

#pragma once

#include <chrono>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/history_clients.hpp"
#include "tests/support/node_cluster.hpp"

namespace troupe::testing {

enum class fault : uint8_t {
  kill_one,
  /// All but one, one after the other, while shards are taken over.
  kill_most,
  kill_all,
  /// Shorter than its lease.
  pause_within_lease,
  pause_past_lease,
  /// One is past its lease while another is killed.
  pause_and_kill,
  drain_one,
  /// Every node, one after the other.
  restart_all,

  // In a network of the test's own:
  /// One and all others, both ways.
  unplug_one,
  cut_pair,
  /// What one sends to another.
  cut_one_way,
  /// None reaches any.
  cut_all,
};

std::string_view to_string(fault x) noexcept;

/// Those that need nothing but processes.
std::vector<fault> process_faults();

/// Those that need a network.
std::vector<fault> network_faults();

class nemesis {
public:
  using clock = std::chrono::steady_clock;

  /// @param nodes run all of `ids`
  /// @param network null: there are no network faults
  /// @param to what it does is written there, with the seconds since `start`
  nemesis(test::node_cluster& nodes, std::vector<std::string> ids,
          test::test_network* network, uint64_t seed, std::ostream& to,
          clock::time_point start)
    : nodes_(nodes), ids_(std::move(ids)), network_(network), random_(seed),
      log_(to), start_(start) {}

  /// Tells clients where they can go from now on.
  void clients(node_address& where);

  /// Does it, with calls between one step and the next, and makes all whole.
  /// @param victim who it is to hit, if it hits one
  void strike(fault x, const std::string& victim);

private:
  void start(const std::string& id);
  void kill(const std::string& id);
  void stop(const std::string& id);
  void pause(const std::string& id);
  void wake(const std::string& id);
  void cut(fault x, const std::string& victim);
  void pause_past_lease(const std::string& id, const std::function<void()>& f);

  /// A fault that lasts is nothing to wait for.
  void last(std::chrono::milliseconds least, std::chrono::milliseconds most);

  void say(const std::string& what);
  std::string other_than(const std::string& id);

  test::node_cluster& nodes_;
  const std::vector<std::string> ids_;
  test::test_network* network_;
  std::mt19937_64 random_;
  std::ostream& log_;
  const clock::time_point start_;
  node_address* clients_ = nullptr;
};

} // namespace troupe::testing
