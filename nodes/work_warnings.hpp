// What is odd in what an operator says of queued calls, and no mistake for sure:
// names may be deployed later, or elsewhere.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/core/route_table.hpp"
#include "nodes/events/receiver_login.hpp"
#include "nodes/work_options.hpp"

namespace troupe {

/// One line for each lane, and each that is called next, that is not on this node.
std::vector<std::string>
warnings_of(const std::map<std::string, work_override>& queued,
            const route_table& routes);

/// One line for each destination outside of which a file cannot be read now: it
/// may come later.
std::vector<std::string>
warnings_of(const std::map<std::string, receiver_login>& destinations);

} // namespace troupe
