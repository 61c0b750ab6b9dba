// For servers that cannot choose a port themselves.

#pragma once

#include <cstdint>

namespace troupe::bench {

/// A port of the loopback that was free a moment ago.
/// @throws cannot_measure
uint16_t free_port();

} // namespace troupe::bench
