// From a node's options to its part in a cluster: the links, the lease row, the
// times.

#pragma once

#include <functional>
#include <string>

#include "actors/cluster/cluster_member.hpp"
#include "actors/cluster/cluster_observer.hpp"
#include "nodes/options.hpp"

namespace troupe {

/// Called with the reason, on any thread.
struct join_reports {
  /// The cluster does not fit this node.
  std::function<void(const std::string& why)> refused;

  /// Another node does not fit the cluster, in which this one is.
  std::function<void(const std::string& why)> turned_away;
};

/// @pre `options` are valid and have `cluster.listen`
/// @param observer outlives the cluster's part in this process
cluster_options make_cluster_options(const node_options& options,
                                     join_reports reports,
                                     cluster_observer& observer);

} // namespace troupe
