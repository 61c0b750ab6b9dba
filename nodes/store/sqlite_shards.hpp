// Who owns which shard in data.db, for the thread that writes it: every function
// is a part of that thread's transaction, and may throw SQLite::Exception.

#pragma once

#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"

namespace troupe {

class sqlite_shards {
public:
  explicit sqlite_shards(SQLite::Database& db);

  bool is_owned(const shard_ownership& x);

  std::vector<move_result> move(const std::vector<shard_move>& moves);

  /// The number of shards: `count` if nobody has said another one before.
  uint32_t agree_on_count(uint32_t count);

private:
  shard_row find(uint32_t shard);

  SQLite::Database& db_;
  SQLite::Statement find_shard_;
  SQLite::Statement move_shard_;
  SQLite::Statement next_version_;
  SQLite::Statement agree_on_count_;
  SQLite::Statement count_;
};

} // namespace troupe
