#include "actors/core/cluster_view.hpp"

#include <algorithm>

#include "actors/model/hash_ring.hpp"

namespace troupe {

const lease_row*
cluster_view::find(std::string_view incarnation) const noexcept {
  for (auto& x : nodes)
    if (x.incarnation == incarnation)
      return &x;
  return nullptr;
}

const lease_row* cluster_view::owner(uint32_t shard) const noexcept {
  if (shard >= shards.size() || shards[shard].node == shard_place::nobody)
    return nullptr;
  return &nodes[shards[shard].node];
}

uint32_t cluster_view::shards_of(std::string_view incarnation) const noexcept {
  auto node = find(incarnation);
  if (!node)
    return 0;
  auto index = static_cast<uint32_t>(node - nodes.data());
  return static_cast<uint32_t>(
    std::count_if(shards.begin(), shards.end(),
                  [=](const shard_place& x) { return x.node == index; }));
}

uint32_t cluster_view::shard_of(std::string_view service,
                                std::string_view key) const noexcept {
  return troupe::shard_of(service, key, static_cast<uint32_t>(shards.size()));
}

void cluster_source::publish(std::shared_ptr<const cluster_view> view) {
  std::lock_guard guard{mutex_};
  view_ = std::move(view);
  version_.fetch_add(1, std::memory_order_release);
  if (on_publish_)
    on_publish_();
}

void cluster_source::on_publish(std::function<void()> f) {
  std::lock_guard guard{mutex_};
  on_publish_ = std::move(f);
}

std::shared_ptr<const cluster_view> cluster_source::load() const {
  std::lock_guard guard{mutex_};
  return view_;
}

} // namespace troupe
