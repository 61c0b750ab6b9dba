// The leases and shards of nodes that share a PostgreSQL server, on a connection
// of their own: no lease runs out behind commits.
//
// Every renewal is a statement, and so a transaction; the first one of a run
// waits for its turn before. A move takes several: the
// row of `shards` is locked first, so that moves come one after another and each
// sees what the one before it left. Claims hold the row of their shard, and so
// does a move: each comes before or after the other.

#pragma once

#include "actors/core/cluster_backends.hpp"
#include "nodes/store/postgres_asker.hpp"

namespace troupe {

/// Callbacks come from the thread of its `postgres_asker`.
class postgres_lease_table final : public lease_table {
public:
  explicit postgres_lease_table(postgres_asker& asker) : asker_(asker) {}

  void renew(lease_row mine, callback<lease_view> done) override;

  void declare_dead(std::string incarnation, uint64_t counter_seen,
                    callback<verdict> done) override;

  void leave(std::string incarnation, callback<void> done) override;

  void forget(std::string incarnation) override;

  /// Never: the process may be on another machine.
  bool proven_dead(const std::string& incarnation) noexcept override;

private:
  postgres_asker& asker_;
};

/// Callbacks come from the thread of its `postgres_asker`. Versions are those of
/// one timeline: a view of another one is answered with all rows.
class postgres_shard_table final : public shard_table {
public:
  explicit postgres_shard_table(postgres_asker& asker) : asker_(asker) {}

  void read(uint32_t count, uint64_t version,
            callback<shard_view> done) override;

  void move(std::vector<shard_move> moves,
            callback<std::vector<move_result>> done) override;

private:
  void read_since(uint64_t version, callback<shard_view> done);

  postgres_asker& asker_;
};

/// The connection of both.
postgres_role postgres_cluster_role(const postgres_options& options);

} // namespace troupe
