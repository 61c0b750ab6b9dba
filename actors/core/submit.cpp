#include "actors/core/submit.hpp"

#include "actors/core/deadline_keeper.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/missing.hpp"

namespace troupe {

void submit_watched(const call_environment& env, call_target& target,
                    invocation_ptr call, caf::actor_system& sys,
                    caf::execution_unit* outer) {
  lender thread{sys, outer, env.lend};
  target.submit(call, thread);
  if (!call->answered())
    env.deadlines.add(std::move(call));
}

void submit_nested(const call_environment& env, const route_table& routes,
                   invocation_ptr call, std::string_view name,
                   caf::actor_system& sys, caf::execution_unit* outer) {
  auto target =
    call->entity ? find_service(routes, name) : find_function(routes, name, {});
  if (!target) {
    call->finish(target.error(), outer);
    return;
  }
  submit_watched(env, **target, std::move(call), sys, outer);
}

expected<call_target_ptr> find_function(const route_table& routes,
                                        std::string_view name,
                                        std::string_view qualifier) {
  auto i = routes.functions.find(name);
  if (i == routes.functions.end())
    return missing_function(routes, name);
  if (auto target = i->second.find(qualifier))
    return target;
  return error{errc::not_found, "the function '" + std::string{name}
                                  + "' has no version or alias '"
                                  + std::string{qualifier} + "'"};
}

expected<call_target_ptr> find_service(const route_table& routes,
                                       std::string_view name) {
  auto i = routes.services.find(name);
  if (i == routes.services.end())
    return missing_service(routes, name);
  return i->second.host;
}

} // namespace troupe
