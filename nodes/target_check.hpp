// Whether somebody can be called, before there is a call: for what is declared
// now and calls later.

#pragma once

#include "actors/core/expected.hpp"
#include "actors/core/route_table.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/messages/subscription.hpp"

namespace troupe {

/// `not_found` if there is no such function, service or method, or none that can
/// be called from outside.
expected<void> check_target(const route_table& routes, const work_target& to);

expected<void> check_target(const route_table& routes,
                            const message_target& to);

} // namespace troupe
