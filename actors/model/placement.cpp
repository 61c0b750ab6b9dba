#include "actors/model/placement.hpp"

#include <cmath>
#include <string>

namespace troupe {

namespace {

/// How many shards each node has room for.
std::vector<uint32_t> rooms(const hash_ring& ring, uint32_t count) {
  double all = 0;
  for (auto& x : ring.nodes())
    all += x.weight;
  std::vector<uint32_t> result;
  for (auto& x : ring.nodes())
    result.push_back(static_cast<uint32_t>(
      std::ceil(placement_load_max * count * x.weight / all)));
  return result;
}

} // namespace

std::vector<uint32_t> place_shards(const hash_ring& ring, uint32_t count) {
  std::vector<uint32_t> result;
  if (ring.empty())
    return result;
  auto room = rooms(ring, count);
  for (uint32_t shard = 0; shard < count; ++shard) {
    auto hash = ring_hash("shard " + std::to_string(shard));
    auto node = ring.find_if(hash, [&](size_t x) { return room[x] > 0; });
    --room[*node];
    result.push_back(static_cast<uint32_t>(*node));
  }
  return result;
}

proposed_moves propose_moves(const std::vector<uint32_t>& wanted,
                             const std::vector<shard_holder>& held, size_t me,
                             size_t give_max) {
  proposed_moves result;
  for (uint32_t shard = 0; shard < wanted.size(); ++shard) {
    auto is_wanted_here = wanted[shard] == me;
    if (held[shard] == shard_holder::nobody && is_wanted_here)
      result.take.push_back(shard);
    else if (held[shard] == shard_holder::me && !is_wanted_here
             && result.give.size() < give_max)
      result.give.emplace_back(shard, wanted[shard]);
  }
  return result;
}

} // namespace troupe
