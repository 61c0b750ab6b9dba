#include "nodes/store/sqlite_shards.hpp"

#include <utility>

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"

namespace troupe {

sqlite_shards::sqlite_shards(SQLite::Database& db)
  : db_(db), find_shard_(db_, "SELECT owner, epoch FROM shard WHERE id = ?1"),
    move_shard_(db_, "INSERT OR REPLACE INTO shard "
                     "SELECT ?1, ?2, ?3, version FROM shards"),
    next_version_(db_, "UPDATE shards SET version = version + 1"),
    agree_on_count_(db_, "UPDATE shards SET count = ?1 WHERE count = 0"),
    count_(db_, "SELECT count FROM shards") {}

bool sqlite_shards::is_owned(const shard_ownership& x) {
  return x.epoch > 0 && find(x.shard) == shard_row{x.shard, x.owner, x.epoch};
}

shard_row sqlite_shards::find(uint32_t shard) {
  find_shard_.bind(1, int64_t{shard});
  sqlite_query found{find_shard_};
  if (!found.next())
    return {shard, {}, 0};
  return {shard, found.bytes(0), static_cast<uint64_t>(found.number(1))};
}

std::vector<move_result>
sqlite_shards::move(const std::vector<shard_move>& moves) {
  std::vector<move_result> result;
  change(db_, next_version_);
  for (auto& move : moves) {
    auto row = find(move.shard);
    auto fits =
      row.owner == move.expected_owner && row.epoch == move.expected_epoch;
    if (fits) {
      row = {move.shard, move.new_owner, row.epoch + 1};
      move_shard_.bind(1, int64_t{row.shard});
      move_shard_.bindNoCopy(2, row.owner);
      bind_number(move_shard_, 3, row.epoch);
      change(db_, move_shard_);
    }
    result.push_back({fits, std::move(row)});
  }
  return result;
}

uint32_t sqlite_shards::agree_on_count(uint32_t count) {
  agree_on_count_.bind(1, int64_t{count});
  change(db_, agree_on_count_);
  sqlite_query found{count_};
  found.next();
  return static_cast<uint32_t>(found.number(0));
}

} // namespace troupe
