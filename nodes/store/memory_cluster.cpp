#include "nodes/store/memory_cluster.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

// -- leases -------------------------------------------------------------------

void memory_lease_table::renew(lease_row mine, callback<lease_view> done) {
  lease_view result;
  {
    std::lock_guard guard{mutex_};
    result = apply(std::move(mine));
  }
  done(std::move(result));
}

lease_view memory_lease_table::apply(lease_row mine) {
  lease_view result;
  auto i = rows_.find(mine.incarnation);
  auto is_down = i != rows_.end() && i->second.state == node_state::down;
  auto is_gone = i == rows_.end() && mine.counter > 0;
  result.fenced = is_down || is_gone;
  if (!result.fenced) {
    auto& row = rows_[mine.incarnation];
    mine.counter = row.counter + 1;
    mine.state = std::clamp(mine.state, row.state, node_state::draining);
    row = std::move(mine);
    result.counter = row.counter;
  }
  result.rows.reserve(rows_.size());
  for (auto& [incarnation, row] : rows_)
    result.rows.push_back(row);
  return result;
}

void memory_lease_table::declare_dead(std::string incarnation,
                                      uint64_t counter_seen,
                                      callback<verdict> done) {
  auto result = verdict::was_down;
  {
    std::lock_guard guard{mutex_};
    auto i = rows_.find(incarnation);
    if (i != rows_.end() && i->second.state != node_state::down) {
      auto dies = i->second.counter == counter_seen;
      result = dies ? verdict::dies : verdict::lives;
      if (dies)
        i->second.state = node_state::down;
    }
  }
  done(result);
}

void memory_lease_table::leave(std::string incarnation, callback<void> done) {
  {
    std::lock_guard guard{mutex_};
    if (auto i = rows_.find(incarnation); i != rows_.end())
      i->second.state = node_state::down;
    ended_.insert(std::move(incarnation));
  }
  done({});
}

void memory_lease_table::forget(std::string incarnation) {
  std::lock_guard guard{mutex_};
  auto i = rows_.find(incarnation);
  if (i == rows_.end() || i->second.state != node_state::down)
    return;
  rows_.erase(i);
  ended_.erase(incarnation);
}

bool memory_lease_table::proven_dead(const std::string& incarnation) noexcept {
  std::lock_guard guard{mutex_};
  return ended_.contains(incarnation);
}

void memory_lease_table::process_ended(const std::string& incarnation) {
  std::lock_guard guard{mutex_};
  ended_.insert(incarnation);
}

// -- shards -------------------------------------------------------------------

void memory_shard_table::read(uint32_t count, uint64_t version,
                              callback<shard_view> done) {
  shard_view result;
  {
    std::lock_guard guard{mutex_};
    if (count_ == 0)
      count_ = count;
    result.count = count_;
    result.version = version_;
    for (auto& [shard, x] : rows_)
      if (x.version > version)
        result.rows.push_back(x.row);
  }
  done(std::move(result));
}

void memory_shard_table::move(std::vector<shard_move> moves,
                              callback<std::vector<move_result>> done) {
  std::vector<move_result> results;
  {
    std::lock_guard guard{mutex_};
    for (auto& x : moves)
      results.push_back(apply(x));
  }
  done(std::move(results));
}

move_result memory_shard_table::apply(const shard_move& x) {
  auto i = rows_.find(x.shard);
  auto now = i != rows_.end() ? i->second.row : shard_row{x.shard, {}, 0};
  if (now.owner != x.expected_owner || now.epoch != x.expected_epoch)
    return {false, std::move(now)};
  now = {x.shard, x.new_owner, now.epoch + 1};
  rows_[x.shard] = {now, ++version_};
  return {true, std::move(now)};
}

bool memory_shard_table::if_owned(const shard_ownership& x,
                                  const std::function<void()>& f) {
  std::lock_guard guard{mutex_};
  auto i = rows_.find(x.shard);
  if (i == rows_.end() || i->second.row != shard_row{x.shard, x.owner, x.epoch})
    return false;
  f();
  return true;
}

} // namespace troupe
