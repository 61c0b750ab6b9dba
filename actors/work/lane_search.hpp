// Who does the work of a lane, and why nobody does: what waits for a function that
// is not there is not tried, and nothing would say so.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/core/errors.hpp"
#include "actors/core/route_table.hpp"

namespace troupe {

/// Why a node with these routes does no work of a lane (`not_found`); nothing if
/// it does.
/// @param tells_outside it sends events to others
std::optional<error> why_not_here(const route_table& routes, bool tells_outside,
                                  const std::string& lane);

/// The lane that somebody may have meant who wrote `lane`: that of a service
/// without its slash, or one with a close name; empty if there is none.
/// @param others lanes that are there as well: what they name is not here
std::string lane_like(const route_table& routes,
                      const std::vector<std::string>& others,
                      const std::string& lane);

} // namespace troupe
