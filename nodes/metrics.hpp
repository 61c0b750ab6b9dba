// A node's numbers in Prometheus' text format.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/cluster/cluster_member.hpp"
#include "actors/cluster/lock_counts.hpp"
#include "actors/core/route_table.hpp"
#include "actors/messages/event_router.hpp"
#include "actors/work/dispatcher.hpp"
#include "nodes/http/server.hpp"
#include "nodes/schedule_watch.hpp"
#include "nodes/subscriptions.hpp"

namespace troupe {

struct lock_metrics {
  lock_stats requests;

  /// Commits that were refused because a lock had moved on.
  uint64_t commits_refused = 0;
};

/// The body of `/metrics`: every function, exposed actor and service of
/// `routes`, the HTTP server, the locks that this node was asked for, the work
/// that it did and that waits, the node's part in the cluster if it has one, and
/// its subscriptions and its rules for events.
/// @param schedules nothing if they are not known now
/// @param cluster null for a node by itself
std::string prometheus_text(const route_table& routes,
                            const http::statistics& http,
                            const lock_metrics& locks, const dispatcher& work,
                            const std::optional<schedule_counts>& schedules,
                            cluster_member* cluster,
                            const std::vector<subscription_view>& messages,
                            const event_router& events);

} // namespace troupe
