// A node's numbers in Prometheus' text format.

#pragma once

#include <string>

#include "actors/core/route_table.hpp"
#include "nodes/http/server.hpp"

namespace troupe {

/// The body of `/metrics`: every function, exposed actor and service of
/// `routes`, and the HTTP server.
std::string prometheus_text(const route_table& routes,
                            const http::statistics& http);

} // namespace troupe
