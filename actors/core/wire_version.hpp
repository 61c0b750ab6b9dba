// What nodes say to each other over their links has a version, so that a cluster
// is upgraded node by node: each build speaks its own and the one before. When it
// rises, and what a developer does then: nodes/link/README.md.

#pragma once

#include <cstdint>

namespace troupe::wire {

/// What this build speaks. Of each version, what the one before did not have:
///   1  (all there was until then)
///   2  calls show locks
inline constexpr uint32_t version = 2;

/// From when on calls show locks. A node that skipped them would commit what they
/// were to prevent.
inline constexpr uint32_t version_with_locks = 2;

/// The oldest that a node of that version still speaks.
constexpr uint32_t oldest_beside(uint32_t version) noexcept {
  return version > 1 ? version - 1 : 1;
}

} // namespace troupe::wire
