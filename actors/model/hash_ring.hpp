// Consistent hashing (Karger et al., 1997): each node has many points on a
// ring, and a key belongs to the node whose point comes next. A node that goes
// leaves its keys to many others, and no other key moves. It only proposes:
// what decides is the table of shards.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// xxHash64 of `bytes`: the same on every machine and in every version.
uint64_t ring_hash(std::string_view bytes, uint64_t seed = 0) noexcept;

/// The shard of an entity, out of `count`.
uint32_t shard_of(std::string_view service, std::string_view key,
                  uint32_t count) noexcept;

struct ring_node {
  /// What its points are made of: the same name, the same points.
  std::string name;

  /// It gets so many times what a node of weight 1 gets. At least 1.
  uint32_t weight = 1;

  /// Nodes of one zone fail together; may be empty.
  std::string zone;

  friend bool operator==(const ring_node&, const ring_node&) = default;
};

/// Immutable. The order in which nodes are given does not matter.
class hash_ring {
public:
  /// Points of a node of weight 1. More makes for a better balance.
  static constexpr uint32_t points_per_weight = 256;

  hash_ring() = default;

  /// @pre names are unique
  explicit hash_ring(std::vector<ring_node> nodes);

  bool empty() const noexcept { return nodes_.empty(); }

  /// By name.
  const std::vector<ring_node>& nodes() const noexcept { return nodes_; }

  /// The index in `nodes` of whom `hash` belongs to. @pre not empty
  size_t find(uint64_t hash) const noexcept;

  /// The first node after `hash` that `fits`; nothing if none does.
  template <class Predicate>
  std::optional<size_t> find_if(uint64_t hash, Predicate fits) const {
    auto i = empty() ? points_.end() : next(hash);
    for (size_t n = 0; n < points_.size(); ++n) {
      if (fits(size_t{i->node}))
        return i->node;
      if (++i == points_.end())
        i = points_.begin();
    }
    return std::nullopt;
  }

  /// All nodes in the order in which they come after `hash`. With `zones`,
  /// those of zones that did not come yet go first.
  std::vector<size_t> successors(uint64_t hash, bool zones = false) const;

private:
  struct point {
    uint64_t place = 0;
    uint32_t node = 0;
  };

  static std::vector<point> sorted(const std::vector<point>& points);

  /// Those of zones that did not come yet go first.
  std::vector<size_t> spread(const std::vector<size_t>& nodes) const;

  std::vector<point>::const_iterator next(uint64_t hash) const noexcept;

  std::vector<ring_node> nodes_;
  std::vector<point> points_;
};

} // namespace troupe
