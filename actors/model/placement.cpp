#include "actors/model/placement.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace troupe {

namespace {

/// From 0 to 1: the same for the same name.
double fraction_of(const std::string& name) {
  return static_cast<double>(ring_hash(name) >> 11) / (uint64_t{1} << 53);
}

/// How many shards each node has room for. Where it is no whole number, some
/// have room for one more and some do not, so that a few nodes less do not give
/// all others more room at once, and move what had no room before.
std::vector<uint32_t> rooms(const hash_ring& ring, uint32_t count) {
  double all = 0;
  for (auto& x : ring.nodes())
    all += x.weight;
  std::vector<uint32_t> result;
  for (auto& x : ring.nodes()) {
    auto part = count * x.weight / all;
    auto most = std::floor(placement_load_max * part + fraction_of(x.name));
    // At least its part: there is room for all of them.
    result.push_back(static_cast<uint32_t>(std::max(most, std::ceil(part))));
  }
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
