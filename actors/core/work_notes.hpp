// The notes of work: what goes with it, and is nothing to the queue. Each part is
// of those that write and read it; here is what they have in common.

#pragma once

#include "actors/core/codec.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// As an object; an empty one if they are none.
json notes_of(const work_item& x);

} // namespace troupe
