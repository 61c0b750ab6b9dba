#include "actors/model/hash_ring.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>
#include <set>
#include <tuple>

#include <xxhash.h>

namespace troupe {

uint64_t ring_hash(std::string_view bytes, uint64_t seed) noexcept {
  return XXH64(bytes.data(), bytes.size(), seed);
}

uint32_t shard_of(std::string_view service, std::string_view key,
                  uint32_t count) noexcept {
  assert(count > 0);
  return static_cast<uint32_t>(ring_hash(key, ring_hash(service)) % count);
}

hash_ring::hash_ring(std::vector<ring_node> nodes) : nodes_(std::move(nodes)) {
  std::sort(nodes_.begin(), nodes_.end(),
            [](auto& x, auto& y) { return x.name < y.name; });
  std::vector<std::string> numbers;
  std::vector<point> points;
  points.reserve(nodes_.size() * points_per_weight);
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    auto seed = ring_hash(nodes_[i].name);
    auto count = std::max(nodes_[i].weight, 1u) * points_per_weight;
    while (numbers.size() < count)
      numbers.push_back(std::to_string(numbers.size()));
    for (uint32_t j = 0; j < count; ++j)
      points.push_back({ring_hash(numbers[j], seed), i});
  }
  points_ = sorted(points);
}

std::vector<hash_ring::point>
hash_ring::sorted(const std::vector<point>& points) {
  // Hashes are spread evenly: by their first bits nearly all is done. A ring of
  // a thousand nodes is made whenever one of them comes or goes.
  auto bits = std::max<int>(std::bit_width(points.size()), 3) - 2;
  auto bucket = [=](const point& x) { return x.place >> (64 - bits); };
  std::vector<size_t> ends((size_t{1} << bits) + 1);
  for (auto& x : points)
    ++ends[bucket(x) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  auto begins = ends;
  std::vector<point> result(points.size());
  for (auto& x : points)
    result[begins[bucket(x)]++] = x;
  for (size_t i = 0; i + 1 < ends.size(); ++i)
    std::sort(result.begin() + static_cast<std::ptrdiff_t>(ends[i]),
              result.begin() + static_cast<std::ptrdiff_t>(ends[i + 1]),
              [](auto& x, auto& y) {
                return std::tie(x.place, x.node) < std::tie(y.place, y.node);
              });
  return result;
}

std::vector<hash_ring::point>::const_iterator
hash_ring::next(uint64_t hash) const noexcept {
  auto i =
    std::lower_bound(points_.begin(), points_.end(), hash,
                     [](const point& x, uint64_t h) { return x.place < h; });
  return i != points_.end() ? i : points_.begin();
}

size_t hash_ring::find(uint64_t hash) const noexcept {
  return find_if(hash, [](size_t) { return true; }).value();
}

std::vector<size_t> hash_ring::successors(uint64_t hash, bool zones) const {
  std::vector<size_t> result;
  std::vector<bool> seen(nodes_.size());
  find_if(hash, [&](size_t x) {
    if (!seen[x])
      result.push_back(x);
    seen[x] = true;
    return result.size() == nodes_.size();
  });
  return zones ? spread(result) : result;
}

std::vector<size_t> hash_ring::spread(const std::vector<size_t>& nodes) const {
  std::set<std::string> known;
  std::vector<size_t> result;
  std::vector<size_t> rest;
  for (auto x : nodes)
    (known.insert(nodes_[x].zone).second ? result : rest).push_back(x);
  result.insert(result.end(), rest.begin(), rest.end());
  return result;
}

} // namespace troupe
