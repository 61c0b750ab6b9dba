// The clocks of this machine, by which a store judges whether the time of a lock
// is over.

#pragma once

#include "actors/model/lock_record.hpp"

namespace troupe {

/// Processes of one machine see the same. (In a time namespace of its own one
/// does not: those must not share a store.)
lock_time read_lock_clock();

} // namespace troupe
