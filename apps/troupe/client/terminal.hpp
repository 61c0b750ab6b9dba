// The terminal that stdout may be.

#pragma once

#include <cstddef>
#include <optional>

namespace troupe::cli {

/// How many columns it has, 80 if it does not say, and 20 at least: narrower lines
/// say nothing. Nothing if stdout is none.
std::optional<size_t> terminal_width();

} // namespace troupe::cli
