// Whether a handler may run on the thread of its caller, by how long it ran before.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "actors/core/defaults.hpp"

namespace troupe {

/// What a handler has earned, from `-long_run_penalty` to `long_run_penalty`; it
/// begins with 0.
inline bool may_be_lent(int32_t credit) noexcept {
  return credit >= defaults::lending::credit_needed;
}

/// After a run, or a part of one that nothing interrupted, that took so long.
inline int32_t credit_after(int32_t credit,
                            std::chrono::nanoseconds run) noexcept {
  using namespace defaults::lending;
  if (run < short_run)
    return std::min(credit + 1, long_run_penalty);
  if (run <= long_run)
    return std::min(credit, 0);
  return credit == long_run_penalty ? 0 : -long_run_penalty;
}

} // namespace troupe
