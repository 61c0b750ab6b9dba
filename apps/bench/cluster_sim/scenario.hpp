// What is measured: clusters of some sizes are started, left alone, and then
// lose and get back some of their nodes. All of it in virtual time, several
// times with different seeds.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/bench/cluster_sim/sim_cluster.hpp"

namespace troupe::bench {

/// How the others come to know that a node is dead.
enum class death_notice : uint8_t {
  /// Its lease runs out: a machine that says nothing any more.
  lease,
  /// A proof: a process that ended on the host of all others.
  proof,
};

std::string_view to_string(death_notice x) noexcept;

struct sim_plan {
  std::vector<uint32_t> nodes{10, 100, 1'000};

  /// So many nodes die at once. Those that would leave nobody are left out.
  std::vector<uint32_t> failures{1, 10, 100};

  std::vector<death_notice> notices{death_notice::lease, death_notice::proof};
  uint32_t shards = 1'024;
  uint64_t seed = 1;

  /// With the seeds from `seed` on.
  uint32_t rounds = 3;

  /// Told what comes next. May be empty.
  std::function<void(const std::string& what)> progress;
};

/// The median of some rounds, and the most.
struct spread {
  double median = 0;
  double most = 0;
};

/// Of a cluster that came to rest. Times in seconds.
struct change_figures {
  /// All that live knew who lives; every shard was served; nothing moved or
  /// changed any more.
  spread seen, served, rest;

  /// Shards. `ideal`: those that had to be moved. `refused`: moves that came
  /// too late.
  double moved = 0;
  double ideal = 0;
  double refused = 0;

  /// How often the store was asked to declare a node dead.
  double declarations = 0;

  /// Of the store, a second and node: on the average, and in the half second in
  /// which there were most.
  double operations = 0;
  double operations_most = 0;
  double bytes = 0;
  double bytes_most = 0;
};

struct failure_figures {
  uint32_t dead = 0;
  change_figures death;

  /// max/mean of those that were left.
  double imbalance = 0;

  /// As many come back at once.
  change_figures comeback;
};

struct cluster_figures {
  uint32_t nodes = 0;
  death_notice notice = death_notice::lease;
  change_figures start;

  /// At rest, a second and node.
  double operations = 0;
  double rows = 0;
  double bytes = 0;

  /// Shards of a node: max/mean, and how many have none.
  double imbalance = 0;
  double nodes_without = 0;

  std::vector<failure_figures> failures;

  /// At rest, of one core for one node's membership: measured, not simulated.
  double cpu_share = 0;

  /// What must not be: empty.
  std::vector<std::string> faults;
};

/// Every size and notice, in their order.
std::vector<cluster_figures> simulate(const sim_plan& plan);

} // namespace troupe::bench
