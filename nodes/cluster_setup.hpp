// From a node's options to its part in a cluster: the links, the lease row, the
// times.

#pragma once

#include <functional>
#include <string>

#include "actors/cluster/cluster_member.hpp"
#include "nodes/options.hpp"

namespace troupe {

/// @pre `options` are valid and have `cluster.listen`
/// @param refused called with the reason if the cluster does not fit this node;
///        on any thread
cluster_options
make_cluster_options(const node_options& options,
                     std::function<void(const std::string& why)> refused);

} // namespace troupe
