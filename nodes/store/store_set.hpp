// What a node keeps its truth in: states, and, if it shares them with other
// nodes, what the nodes agree on.

#pragma once

#include <memory>
#include <utility>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"

namespace troupe {

struct store_set {
  store_set() = default;

  /// For a node by itself.
  template <class Store>
  store_set(std::unique_ptr<Store> alone) : states(std::move(alone)) {}

  std::unique_ptr<state_store> states;

  /// Both null for a node by itself; they may be parts of `states`.
  std::shared_ptr<lease_table> leases;
  std::shared_ptr<shard_table> shards;

  bool is_shared() const noexcept { return leases && shards; }
};

} // namespace troupe
