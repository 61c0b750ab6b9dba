#include "actors/model/shard_book.hpp"

namespace troupe {

void shard_book::begin(std::string self) {
  for (uint32_t i = 0; i < count(); ++i) {
    auto was_held = is_mine(i) && !entries_[i].unsettled;
    entries_[i].leaving = false;
    entries_[i].unsettled = true; // until it is learned anew
    if (was_held)
      on_change(i, 0);
    entries_[i].unsettled = false;
  }
  self_ = std::move(self);
}

bool shard_book::learn(uint32_t shard, const std::string& owner, uint64_t epoch,
                       uint64_t learned) {
  auto& x = entries_[shard];
  if (epoch <= x.epoch)
    return false;
  x.owner = owner;
  x.epoch = epoch;
  x.learned = learned;
  x.leaving = false;
  x.unsettled = false;
  on_change(shard, is_served(shard) ? epoch : 0);
  return true;
}

void shard_book::leaving(uint32_t shard, bool is_leaving) {
  auto was_served = is_served(shard);
  entries_[shard].leaving = is_leaving;
  refresh(shard, was_served);
}

void shard_book::doubt(uint32_t shard) {
  auto was_served = is_served(shard);
  entries_[shard].unsettled = true;
  refresh(shard, was_served);
}

void shard_book::refresh(uint32_t shard, bool was_served) {
  auto served = is_served(shard);
  if (served != was_served)
    on_change(shard, served ? entries_[shard].epoch : 0);
}

} // namespace troupe
