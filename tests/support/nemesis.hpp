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
  /// One and all others, both ways, and a store that is a server.
  unplug_one,
  cut_pair,
  /// What one sends to another.
  cut_one_way,
  /// None reaches any, nor a store that is a server.
  cut_all,

  // On a store that is a server:
  /// In order, and back at once.
  store_restarted,
  /// -9, and gone for shorter or longer than a lease.
  store_killed,
  /// Stopped for longer than it takes to be declared dead.
  store_paused,

  // On a store that is a server in a network of the test's own:
  /// Neither reaches the other; the other nodes reach both.
  cut_from_store,
  /// What the store sends to one.
  cut_answers_of_store,
  /// The store, and all nodes.
  unplug_store,
};

std::string_view to_string(fault x) noexcept;

/// Those that need nothing but processes.
std::vector<fault> process_faults();

/// Those that need a network.
std::vector<fault> network_faults();

/// Those that need a store that is a server.
std::vector<fault> store_faults();

/// Those that need such a store in a network.
std::vector<fault> store_network_faults();

/// Whether no node at all reaches the store meanwhile, if it is a server: that
/// makes nobody dead.
bool is_store_outage(fault x) noexcept;

class nemesis {
public:
  using clock = std::chrono::steady_clock;

  /// @param nodes run all of `ids`
  /// @param store what the nodes share
  /// @param network null: there are no network faults. The nodes are its first
  /// hosts, a store that is a server is the one after them
  /// @param to what it does is written there, with the seconds since `start`
  nemesis(test::node_cluster& nodes, std::vector<std::string> ids,
          test::shared_store& store, test::test_network* network, uint64_t seed,
          std::ostream& to, clock::time_point start)
    : nodes_(nodes), ids_(std::move(ids)), store_(store), network_(network),
      random_(seed), log_(to), start_(start) {}

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
  void strike_store(fault x);
  void cut(fault x, const std::string& victim);
  void cut_store(fault x, const std::string& victim);
  void pause_past_lease(const std::string& id, const std::function<void()>& f);

  /// A fault that lasts is nothing to wait for.
  void last(std::chrono::milliseconds least, std::chrono::milliseconds most);

  void say(const std::string& what);
  std::string other_than(const std::string& id);

  test::node_cluster& nodes_;
  const std::vector<std::string> ids_;
  test::shared_store& store_;
  test::test_network* network_;
  std::mt19937_64 random_;
  std::ostream& log_;
  const clock::time_point start_;
  node_address* clients_ = nullptr;
};

} // namespace troupe::testing
