#include "nodes/work_warnings.hpp"

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "actors/core/outside.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/core/submit.hpp"
#include "actors/work/lane_search.hpp"

namespace troupe {

namespace {

bool is_there(const route_table& routes, const std::string& lane) {
  return looks_outside(lane) || !why_not_here(routes, true, lane);
}

std::string name_of(const std::string& lane) {
  return lane.ends_with('/')
           ? "service '" + lane.substr(0, lane.size() - 1) + "'"
           : "function '" + lane + "'";
}

std::string missing(const route_table& routes, const std::string& lane) {
  auto other = lane_like(routes, {}, lane);
  return "this node has no " + name_of(lane)
         + (other.empty() ? "" : "; is '" + other + "' meant?");
}

/// What is wrong with something that is called next.
std::optional<std::string> wrong_with(const route_table& routes,
                                      const work_destination& to) {
  if (to.is_outside())
    return std::nullopt;
  auto& target = to.pattern();
  auto lane = target.lane();
  if (!is_there(routes, lane))
    return missing(routes, lane);
  if (target.is_entity()) {
    auto& service = *routes.services.find(target.name)->second.definition;
    if (service.find(target.method))
      return std::nullopt;
    return "the service '" + target.name + "' has no method '" + target.method
           + "'";
  }
  if (auto found = find_function(routes, target.name, target.qualifier); !found)
    return found.error().message();
  return std::nullopt;
}

} // namespace

std::vector<std::string>
warnings_of(const std::map<std::string, work_override>& queued,
            const route_table& routes) {
  std::vector<std::string> result;
  for (auto& [lane, settings] : queued) {
    if (!is_there(routes, lane))
      result.push_back(missing(routes, lane));
    for (auto [name, list] : {std::pair{"on-success", &settings.on_success},
                              {"on-failure", &settings.on_failure},
                              {"then", &settings.then}})
      for (auto& x : *list)
        if (auto wrong = wrong_with(routes, x))
          result.push_back(lane + " " + name + ":" + x.to_string() + ": "
                           + *wrong + "; what comes of '" + lane
                           + "' waits for it");
  }
  return result;
}

std::vector<std::string>
warnings_of(const std::map<std::string, receiver_login>& destinations) {
  std::vector<std::string> result;
  for (auto& [lane, x] : destinations)
    for (auto& file :
         {x.password_file, x.token_file, x.ca, x.certificate, x.key})
      if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
        result.push_back(lane + ": cannot read '" + file
                         + "': " + std::generic_category().message(errno));
  return result;
}

} // namespace troupe
