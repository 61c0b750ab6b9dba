// A time as the value of an option: 5, 5s, 500ms, 1m.

#pragma once

#include <chrono>
#include <string>

namespace troupe::cli {

/// Seconds, or a number with its unit; 900 s at most.
/// @throws usage_error that names `option`
std::chrono::milliseconds parse_time(const std::string& text,
                                     const std::string& option,
                                     std::chrono::milliseconds least);

} // namespace troupe::cli
