#include "actors/work/lane_search.hpp"

#include <algorithm>

#include "actors/core/outside.hpp"
#include "actors/core/own_services.hpp"
#include "actors/model/close_name.hpp"

namespace troupe {

namespace {

error is_missing(const std::string& what) {
  return {errc::not_found,
          "this node has no " + what + ": it waits for a node that has it"};
}

} // namespace

std::optional<error> why_not_here(const route_table& routes, bool tells_outside,
                                  const std::string& lane) {
  if (looks_outside(lane)) {
    if (tells_outside)
      return std::nullopt;
    return error{errc::not_found, "this node tells nobody outside"};
  }
  if (lane.ends_with('/')) {
    auto service = lane.substr(0, lane.size() - 1);
    if (routes.services.contains(service))
      return std::nullopt;
    return is_missing("service '" + service + "'");
  }
  if (routes.functions.contains(lane))
    return std::nullopt;
  return is_missing("function '" + lane + "'");
}

std::string lane_like(const route_table& routes,
                      const std::vector<std::string>& others,
                      const std::string& lane) {
  auto names = others;
  for (auto& [name, x] : routes.functions)
    names.push_back(name);
  for (auto& [name, x] : routes.services)
    if (!is_own_service(name))
      names.push_back(name + "/");
  std::sort(names.begin(), names.end());
  auto other =
    lane.ends_with('/') ? lane.substr(0, lane.size() - 1) : lane + "/";
  if (std::binary_search(names.begin(), names.end(), other))
    return other;
  return close_name(lane, names);
}

} // namespace troupe
