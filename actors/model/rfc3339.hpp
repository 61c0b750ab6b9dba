// Moments as people and programs read them: "2026-03-29T01:00:00Z" (RFC 3339).

#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace troupe {

/// In UTC. @pre the year has four digits
std::string to_rfc3339(std::chrono::sys_seconds x);

/// Whether it is one: of any offset, with any fraction of a second. The day is
/// there in its month; which minutes have a leap second is not looked up.
bool is_rfc3339(std::string_view text) noexcept;

} // namespace troupe
