// Baseline of the in-process figures: the actor that a CAF user would write.

#pragma once

#include <caf/event_based_actor.hpp>

namespace troupe::bench {

inline caf::behavior bare_adder() {
  return {[](int64_t a, int64_t b) { return a + b; }};
}

} // namespace troupe::bench
