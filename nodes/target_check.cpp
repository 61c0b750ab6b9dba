#include "nodes/target_check.hpp"

#include <algorithm>
#include <string>

#include "actors/core/missing.hpp"
#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/messages/subscription_book.hpp"
#include "actors/work/group_service.hpp"
#include "actors/work/schedule_service.hpp"

namespace troupe {

namespace {

bool is_own(const std::string& service) {
  auto own = {schedules_service, subscriptions_service, groups_service};
  return std::find(own.begin(), own.end(), service) != own.end();
}

expected<void> check_function(const route_table& routes,
                              const work_target& to) {
  auto target = find_function(routes, to.name, to.qualifier);
  if (!target)
    return target.error();
  if (!(*target)->callable_by_bytes())
    return error{errc::not_found, "'" + to.name + "' is reached from C++ only"};
  return {};
}

} // namespace

expected<void> check_target(const route_table& routes, const work_target& to) {
  if (!to.is_entity())
    return check_function(routes, to);
  if (is_own(to.name))
    return error{errc::not_found,
                 "the service '" + to.name + "' is Troupe's own"};
  if (auto target = find_service(routes, to.name); !target)
    return target.error();
  auto& service = *routes.services.find(to.name)->second.definition;
  if (!service.find(to.method))
    return missing_method(service, to.method);
  return {};
}

expected<void> check_target(const route_table& routes,
                            const message_target& to) {
  return check_target(routes, to.is_entity()
                                ? work_target{to.service, {}, "key", to.method}
                                : work_target{to.function, to.qualifier});
}

} // namespace troupe
