#include "actors/cluster/cluster_state.hpp"

#include <time.h>

#include "actors/model/hash_ring.hpp"

namespace troupe {

boot_time boot_now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return boot_time{std::chrono::seconds{time.tv_sec}
                   + std::chrono::nanoseconds{time.tv_nsec}};
}

uint32_t owned_shards::shard_of(const entity_id& entity) const noexcept {
  return troupe::shard_of(entity.service, entity.key, count());
}

std::optional<shard_ownership> owned_shards::find(uint32_t shard) const {
  std::lock_guard guard{mutex_};
  auto found = epoch(shard);
  if (found == 0)
    return std::nullopt;
  return shard_ownership{shard, incarnation_, found};
}

void owned_shards::doubt(uint32_t) noexcept {
  std::lock_guard guard{mutex_};
  if (on_doubt_)
    on_doubt_();
}

void owned_shards::begin(std::string incarnation) {
  std::lock_guard guard{mutex_};
  for (auto& x : epochs_)
    x.store(0, std::memory_order_seq_cst);
  incarnation_ = std::move(incarnation);
}

void owned_shards::on_doubt(std::function<void()> f) {
  std::lock_guard guard{mutex_};
  on_doubt_ = std::move(f);
}

} // namespace troupe
