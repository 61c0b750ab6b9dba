#include "actors/core/missing.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/own_services.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/model/close_name.hpp"

namespace troupe {

namespace {

/// @param what is not there, with the name `written`
/// @param names that are
error missing(std::string what, std::string_view written,
              std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  what += " '" + std::string{written} + "'";
  if (auto meant = close_name(written, names); !meant.empty())
    what += "; is '" + meant + "' meant?";
  return {errc::not_found, std::move(what)};
}

} // namespace

error missing_function(const route_table& routes, std::string_view name) {
  std::vector<std::string> names;
  for (auto& [other, x] : routes.functions)
    names.push_back(other);
  return missing("there is no function", name, std::move(names));
}

error missing_service(const route_table& routes, std::string_view name) {
  std::vector<std::string> names;
  for (auto& [other, x] : routes.services)
    if (!is_own_service(other))
      names.push_back(other);
  return missing("there is no service", name, std::move(names));
}

error missing_method(const service_definition& service,
                     std::string_view method) {
  std::vector<std::string> names;
  for (auto& x : service.methods)
    names.push_back(x.name);
  return missing("the service '" + service.name + "' has no method", method,
                 std::move(names));
}

} // namespace troupe
