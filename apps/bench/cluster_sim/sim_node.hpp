// One node of a simulation: the membership that real nodes run, alone in a
// process in virtual time.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <caf/actor.hpp>

#include "actors/cluster/cluster_state.hpp"
#include "actors/cluster/membership.hpp"
#include "apps/bench/cluster_sim/known_places.hpp"
#include "apps/bench/cluster_sim/metered_store.hpp"
#include "nodes/simulation/virtual_process.hpp"

namespace troupe::bench {

/// What a node shares with the others.
struct sim_world {
  testing::virtual_time time;
  metered_store store;
  std::mt19937_64 random;
  known_places places;
  uint32_t shards = 1024;
  bool proof_of_death = false;

  /// The processor's time that nodes took.
  std::chrono::nanoseconds cpu{0};

  /// A node says that this incarnation has got shards.
  std::function<void(const std::string& incarnation)> nudge;
};

/// The row of node `number`, as long as those of real nodes are, with a random
/// incarnation.
lease_row describe_node(uint32_t number, std::mt19937_64& random);

class sim_node {
public:
  /// @param number of its id: the same for every run of it
  /// @param rate how much faster its clock runs than the true time
  sim_node(sim_world& world, uint32_t number, double rate);

  ~sim_node();

  /// Called whenever it may have changed.
  std::function<void()> on_run;

  /// It begins to run.
  void start();

  /// It ends at once; it is still there to be asked.
  void die();

  bool is_dead() const noexcept { return process_.is_dead(); }

  /// The link to a peer was lost: it may be dead.
  void lose_link();

  /// Somebody gave it shards.
  void nudge();

  uint32_t number() const noexcept { return number_; }

  const std::string& incarnation() const noexcept { return incarnation_; }

  cluster_state& state() noexcept { return state_; }

  /// It owns `shard` by its own knowledge, and may serve it.
  bool serves(uint32_t shard) const {
    return state_.owned.epoch(shard) != 0 && state_.lease.valid();
  }

private:
  /// Does what reaches the node, and what comes of it.
  void receive(const std::function<void()>& what);

  /// Sees to it that it runs again when its next timer is due.
  void arm();

  membership_options membership();

  sim_world& world_;
  const uint32_t number_;
  std::string incarnation_;
  cluster_state state_;
  testing::virtual_process process_;
  way_to_store way_;
  caf::actor membership_;
  std::optional<testing::virtual_time::duration> armed_;
};

} // namespace troupe::bench
