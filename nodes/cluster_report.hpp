// What HTTP shows of a cluster: the bodies of `/cluster`, `/cluster/shards` and
// `/cluster/owner`, made from the view that calls are placed from.

#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "actors/core/cluster_view.hpp"
#include "actors/core/codec.hpp"
#include "actors/core/route_table.hpp"

namespace troupe {

/// The view of a node by itself: it owns all `shards`.
cluster_view alone(lease_row self, uint32_t shards);

/// `[{id, endpoint, state, incarnation, zone, shards, ...}]`, by id.
json nodes_json(const cluster_view& view);

/// `[{name, kind, versions}]`, by name.
json functions_json(const route_table& routes);

/// `[{name, methods, schema}]`, by name.
json services_json(const route_table& routes);

/// `{count, shards: [{shard, node, epoch}]}`; `node` is null if nobody owns it.
json shards_json(const cluster_view& view);

/// `{node, endpoint, shard, epoch}`; `not_owner` if nobody owns it now.
expected<json> owner_json(const cluster_view& view, const std::string& service,
                          const std::string& key);

} // namespace troupe
