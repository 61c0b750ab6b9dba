// Which node should own which shard, and which moves lead there. Where shards
// should be is a function of the nodes alone, not of where they are: so all
// nodes come to the same result, and moving ends. The ring keeps most shards
// where they are when nodes come and go; a bound on the load (Mirrokni, Thorup,
// Zadimoghaddam: Consistent Hashing with Bounded Loads, 2016) keeps a node from
// getting much more than its part.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "actors/model/hash_ring.hpp"

namespace troupe {

/// What a node owns at most, as a multiple of its part.
inline constexpr double placement_load_max = 1.15;

/// For each of `count` shards the index of a node in `ring.nodes()`; empty if
/// the ring is.
std::vector<uint32_t> place_shards(const hash_ring& ring, uint32_t count);

/// Who has a shard now.
enum class shard_holder : uint8_t {
  /// Nobody, or somebody who is down: whoever should have it takes it.
  nobody,
  /// This node.
  me,
  /// Another one that is alive: it gives the shard away itself.
  other,
};

struct proposed_moves {
  /// To be taken by this node.
  std::vector<uint32_t> take;

  /// To be given away by this node: the shard, and to which node of the ring.
  std::vector<std::pair<uint32_t, uint32_t>> give;
};

/// What this node should do next.
/// @param wanted what `place_shards` says
/// @param me this node's index in the ring; past its end if it is not in it
/// @param give_max so many are given away at most
proposed_moves propose_moves(const std::vector<uint32_t>& wanted,
                             const std::vector<shard_holder>& held, size_t me,
                             size_t give_max);

} // namespace troupe
