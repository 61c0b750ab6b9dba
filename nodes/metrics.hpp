// A node's numbers in Prometheus' text format.

#pragma once

#include <string>

#include "actors/cluster/cluster_member.hpp"
#include "actors/core/route_table.hpp"
#include "nodes/http/server.hpp"

namespace troupe {

/// The body of `/metrics`: every function, exposed actor and service of
/// `routes`, the HTTP server, and the node's part in the cluster if it has one.
/// @param cluster null for a node by itself
std::string prometheus_text(const route_table& routes,
                            const http::statistics& http,
                            cluster_member* cluster);

} // namespace troupe
