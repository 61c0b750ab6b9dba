// Time as leases need it: it goes on while the machine sleeps, nobody can set
// it, and it says nothing to another machine. What a node reads from
// CLOCK_BOOTTIME, and a simulator from a clock of its own.

#pragma once

#include <chrono>

namespace troupe {

/// Names the clock; the time since the machine was started.
struct boot_clock;

using boot_time = std::chrono::time_point<boot_clock, std::chrono::nanoseconds>;

} // namespace troupe
