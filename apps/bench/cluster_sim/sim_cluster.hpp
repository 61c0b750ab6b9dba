// A cluster of many nodes in virtual time, and what can be seen of it from
// outside: how long it takes until all agree after something has happened, what
// is moved meanwhile, and what the store is asked for.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/core/cluster_view.hpp"
#include "apps/bench/cluster_sim/sim_node.hpp"

namespace troupe::bench {

/// How the cluster came to rest after something had happened to it. Times are
/// counted from there.
struct sim_change {
  using duration = std::chrono::nanoseconds;

  /// It did, within the time that it was given, and stayed so.
  bool at_rest = false;

  /// All that live knew who lives.
  duration seen{0};

  /// Every shard that had lost its owner, or had none, was served.
  duration served{0};

  /// The last move was done, and the last view has changed.
  duration rest{0};

  /// Shards that were moved, and those that had to be.
  uint64_t moved = 0;
  uint64_t ideal = 0;

  /// Moves of single shards that came too late.
  uint64_t refused = 0;

  /// Until it was found at rest, after `time`.
  store_use use;
  duration time{0};

  /// The most in such a time.
  static constexpr duration window = std::chrono::milliseconds{500};
  uint64_t operations_most = 0;
  uint64_t bytes_most = 0;
};

/// What goes on while nothing happens.
struct sim_calm {
  std::chrono::nanoseconds time{0};
  store_use use;
  uint64_t moved = 0;

  /// The processor's time of all nodes.
  std::chrono::nanoseconds cpu{0};
};

/// How shards are spread over the nodes.
struct sim_load {
  double mean = 0;
  uint32_t most = 0;
  uint32_t nodes_without = 0;

  double imbalance() const noexcept { return most / mean; }
};

struct sim_options {
  uint64_t seed = 1;
  uint32_t shards = 1024;

  /// All nodes are on one host: a process that ended is known to be dead, and
  /// its links break at once. Otherwise a dead node is a machine that says
  /// nothing any more.
  bool proof_of_death = false;
};

class sim_cluster {
public:
  using duration = std::chrono::nanoseconds;

  explicit sim_cluster(sim_options options);
  ~sim_cluster();

  /// So many nodes start, at moments within a second: those that were killed
  /// first.
  sim_change start(uint32_t count);

  /// So many nodes die, all at once. @pre others live
  sim_change kill(uint32_t count);

  /// Lets time go by.
  sim_calm watch(duration d);

  sim_load load() const;

  uint32_t alive() const noexcept {
    return static_cast<uint32_t>(nodes_.size());
  }

  /// A moment at random, so that not all fails in step with renewals.
  void wait_a_little();

  /// Shards whose owner is not alive, or does not serve them.
  uint32_t shards_without_owner() const;

private:
  void advance(duration d);

  void start_one(uint32_t number);

  struct member {
    std::unique_ptr<sim_node> node;
    uint64_t version = 0; // of the view that was looked at last
    bool knows = false;   // who is alive
  };

  struct counts {
    store_use use;
    uint64_t moved = 0;
    uint64_t refused = 0;
  };

  counts count() const;

  /// Begins to look at what comes of something.
  /// @param expected so many will be alive
  void begin_change(uint32_t expected);

  /// Lets time go by until all is at rest.
  sim_change finish_change(uint64_t ideal);

  /// A node has run.
  void observe(uint32_t number);

  /// Its view is another one, or is to be another one.
  void look(member& x);

  void moved(const shard_row& row);

  bool knows_all(const cluster_view& view) const;

  void update_wanted();

  /// Everybody knows the same, and all is where it should be.
  bool is_settled() const;

  sim_world world_;
  std::map<uint32_t, member> nodes_;
  std::vector<std::unique_ptr<sim_node>> graves_;
  std::vector<uint32_t> killed_;
  uint32_t numbers_ = 0;

  std::vector<shard_row> table_; // by shard
  std::unordered_map<std::string, uint32_t> numbers_by_incarnation_;

  // The change that is looked at.
  duration begin_{0};
  counts before_;
  uint32_t expected_ = 0;
  std::vector<std::string> wanted_; // incarnations, by shard
  uint32_t knowing_ = 0;
  std::set<uint32_t> unserved_;
  duration seen_{0};
  duration served_{0};
  duration last_change_{0};
};

} // namespace troupe::bench
