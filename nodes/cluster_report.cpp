#include "nodes/cluster_report.hpp"

#include <algorithm>

#include "actors/core/own_services.hpp"
#include "actors/core/service_definition.hpp"

namespace troupe {

namespace {

void sort_by(json& list, const char* member) {
  std::sort(list.begin(), list.end(), [=](const json& x, const json& y) {
    return x[member] < y[member];
  });
}

} // namespace

cluster_view alone(lease_row self, uint32_t shards) {
  cluster_view result;
  result.self = self.incarnation;
  result.nodes.push_back(std::move(self));
  result.shards.assign(shards, shard_place{0, 1});
  return result;
}

json nodes_json(const cluster_view& view) {
  std::vector<uint32_t> owned(view.nodes.size());
  for (auto& x : view.shards)
    if (x.node != shard_place::nobody)
      ++owned[x.node];
  auto result = json::array();
  for (size_t i = 0; i < view.nodes.size(); ++i) {
    auto& x = view.nodes[i];
    result.push_back({{"id", x.node},
                      {"endpoint", x.http_url},
                      {"link", x.link_endpoint},
                      {"state", to_string(x.state)},
                      {"incarnation", x.incarnation},
                      {"zone", x.zone},
                      {"capacity", x.capacity},
                      {"version", x.version},
                      {"wireVersion", x.wire_version},
                      {"shards", owned[i]}});
  }
  sort_by(result, "id");
  return result;
}

json functions_json(const route_table& routes) {
  auto result = json::array();
  for (auto& [name, route] : routes.functions) {
    if (!route.latest->callable_by_bytes())
      continue;
    auto versions = json::array();
    for (auto& [number, target] : route.versions)
      versions.push_back(number);
    result.push_back({{"name", name},
                      {"kind", route.latest->kind()},
                      {"versions", std::move(versions)}});
  }
  sort_by(result, "name");
  return result;
}

json services_json(const route_table& routes) {
  auto result = json::array();
  for (auto& [name, route] : routes.services) {
    if (is_own_service(name))
      continue; // it is a part of the node
    auto methods = json::array();
    for (auto& method : route.definition->methods)
      methods.push_back(method.name);
    result.push_back({{"name", name},
                      {"methods", std::move(methods)},
                      {"schema", route.definition->schema()}});
  }
  sort_by(result, "name");
  return result;
}

json shards_json(const cluster_view& view) {
  auto shards = json::array();
  for (uint32_t i = 0; i < view.shards.size(); ++i) {
    auto owner = view.owner(i);
    shards.push_back({{"shard", i},
                      {"node", owner ? json(owner->node) : json{}},
                      {"epoch", view.shards[i].epoch}});
  }
  return {{"count", view.shards.size()}, {"shards", std::move(shards)}};
}

expected<json> owner_json(const cluster_view& view, const std::string& service,
                          const std::string& key) {
  if (view.shards.empty())
    return error{errc::not_owner, "this node has not joined its cluster yet"}
      .retry_after(1);
  auto shard = view.shard_of(service, key);
  auto owner = view.owner(shard);
  if (!owner)
    return error{errc::not_owner, "nobody owns shard " + std::to_string(shard)
                                    + " at the moment"}
      .retry_after(1);
  return json{{"node", owner->node},
              {"endpoint", owner->http_url},
              {"shard", shard},
              {"epoch", view.shards[shard].epoch}};
}

} // namespace troupe
