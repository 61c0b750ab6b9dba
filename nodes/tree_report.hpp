// The body of `/cluster/tree`: the actors of a node, and what runs beside them.

#pragma once

#include <cstdint>
#include <vector>

#include "actors/core/codec.hpp"
#include "actors/core/tree.hpp"
#include "nodes/subscriptions.hpp"

namespace troupe {

/// What no actor can tell.
struct beside_the_tree {
  /// Queued calls that the node does now.
  uint32_t work_running = 0;

  std::vector<tree_node> subscriptions;
};

/// Connections after the first one are its restarts, messages under way its
/// queue, and what the broker said last its reason.
tree_node describe(const subscription_view& x);

/// A list with one root. The dispatcher's queue is the work that runs, and
/// subscriptions stand beside it.
json tree_json(tree_node root, const beside_the_tree& more);

} // namespace troupe
