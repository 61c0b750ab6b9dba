#include "actors/routing/router.hpp"

#include <caf/sec.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/caf_error.hpp"
#include "actors/core/service_definition.hpp"

namespace troupe {

namespace {

error taken(std::string_view name, std::string_view owner) {
  return {errc::bad_request, "the name '" + std::string{name} + "' is taken by "
                               + std::string{owner}};
}

/// The version that comes after all that there were.
uint64_t next_version(const function_route& route) {
  return route.versions.empty() ? 1 : route.versions.rbegin()->first + 1;
}

} // namespace

expected<std::vector<uint64_t>> check_claim(const route_table& routes,
                                            const module_claim& claim) {
  std::vector<uint64_t> versions;
  for (auto& name : claim.functions) {
    if (auto i = routes.services.find(name); i != routes.services.end())
      return taken(name, "a service of " + i->second.owner);
    auto i = routes.functions.find(name);
    if (i == routes.functions.end())
      versions.push_back(1);
    else if (i->second.owner != claim.owner)
      return taken(name, i->second.owner);
    else
      versions.push_back(next_version(i->second));
  }
  for (auto& name : claim.services) {
    if (auto i = routes.functions.find(name); i != routes.functions.end())
      return taken(name, "a function of " + i->second.owner);
    auto i = routes.services.find(name);
    if (i != routes.services.end() && i->second.owner != claim.owner)
      return taken(name, i->second.owner);
  }
  return versions;
}

std::shared_ptr<const route_table> apply(const route_table& routes,
                                         const route_change& change,
                                         published_change& result) {
  auto next = std::make_shared<route_table>(routes);
  for (auto& x : change.functions) {
    auto& route = next->functions[x.name];
    route.owner = change.owner;
    route.versions[x.version] = x.target;
    route.latest = route.versions.rbegin()->second;
    while (route.versions.size() > versions_max) {
      result.dropped.emplace_back(x.name, route.versions.begin()->first);
      route.versions.erase(route.versions.begin());
    }
  }
  for (auto& x : change.services) {
    next->services[x.name] = {change.owner, x.host, x.definition};
    next->classes[std::type_index{*x.definition->type}] = x.definition;
  }
  return next;
}

router_actor::behavior_type router(router_actor::pointer,
                                   std::shared_ptr<route_source> routes) {
  return {
    [=](atom::claim,
        const module_claim& claim) -> caf::result<std::vector<uint64_t>> {
      auto versions = check_claim(*routes->load(), claim);
      if (!versions)
        return to_caf_error(versions.error());
      return *versions;
    },
    [=](atom::publish, const route_change& change) {
      published_change result;
      routes->publish(apply(*routes->load(), change, result));
      return result;
    },
    [=](atom::alias, const std::string& function, const std::string& alias,
        uint64_t version) -> caf::result<caf::unit_t> {
      auto next = std::make_shared<route_table>(*routes->load());
      auto i = next->functions.find(function);
      if (i == next->functions.end() || !i->second.versions.contains(version))
        return to_caf_error(
          {errc::not_found,
           "'" + function + "' has no version " + std::to_string(version)});
      i->second.aliases[alias] = version;
      routes->publish(std::move(next));
      return caf::unit;
    },
    [=](atom::describe) {
      auto table = routes->load();
      tree_node result;
      result.kind = "router";
      result.name = std::to_string(table->functions.size()) + " functions, "
                    + std::to_string(table->services.size()) + " services";
      return result;
    },
  };
}

} // namespace troupe
