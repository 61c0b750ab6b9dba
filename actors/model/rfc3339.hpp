// Moments as people and programs read them: "2026-03-29T01:00:00Z" (RFC 3339).

#pragma once

#include <chrono>
#include <string>

namespace troupe {

/// In UTC. @pre the year has four digits
std::string to_rfc3339(std::chrono::sys_seconds x);

} // namespace troupe
