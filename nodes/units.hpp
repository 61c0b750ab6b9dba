// Quantities as people write them. A bare "5" for a time-out has been read as
// seconds by one and as milliseconds by another often enough; so a time needs
// its unit, and what is refused says what would be accepted.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// "250ms", "5s", "2m", "1h" or "0".
/// @throws std::invalid_argument that says what is accepted
std::chrono::milliseconds parse_duration(std::string_view text);

/// In the largest unit that is exact: 75000 ms is "75s".
std::string format_duration(std::chrono::milliseconds value);

/// "4096", "6MB" (10^6 bytes), "32KiB" (2^10 bytes).
/// @throws std::invalid_argument that says what is accepted
uint64_t parse_size(std::string_view text);

/// In the largest binary unit that is exact: 32768 is "32KiB".
std::string format_size(uint64_t bytes);

/// A whole number from `min` to `max`.
/// @throws std::invalid_argument that says what is accepted
uint64_t parse_number(std::string_view text, uint64_t min, uint64_t max);

/// "true", "yes", "on" and "1"; "false", "no", "off" and "0".
/// @throws std::invalid_argument that says what is accepted
bool parse_flag(std::string_view text);

} // namespace troupe
