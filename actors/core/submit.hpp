// The last step of a call from wherever it comes: find the target in a route
// table, hand the call over, and see to its deadline if it is not answered at
// once.

#pragma once

#include <string_view>

#include <caf/fwd.hpp>

#include "actors/core/expected.hpp"
#include "actors/core/interfaces.hpp"
#include "actors/core/route_table.hpp"

namespace troupe {

/// Submits `call` to `target` with a lent thread. If it is not answered when
/// this returns, the keeper ends it at its deadline.
void submit_watched(const call_environment& env, call_target& target,
                    invocation_ptr call, caf::actor_system& sys,
                    caf::execution_unit* outer);

/// A call from inside a handler: to the service of `call->entity`, or else to
/// the function `name`. Unknown names are answered `not_found`.
void submit_nested(const call_environment& env, const route_table& routes,
                   invocation_ptr call, std::string_view name,
                   caf::actor_system& sys, caf::execution_unit* outer);

/// The target of a function call, or the error to answer with.
expected<call_target_ptr> find_function(const route_table& routes,
                                        std::string_view name,
                                        std::string_view qualifier);

/// The host of a service, or the error to answer with.
expected<call_target_ptr> find_service(const route_table& routes,
                                       std::string_view name);

} // namespace troupe
