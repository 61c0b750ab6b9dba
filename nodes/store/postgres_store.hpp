// Durable state in a PostgreSQL server that many machines share: the same tables
// as SQLite's, in the schema `troupe` of a database. A store has four
// connections, each with a thread: one claims and commits (postgres_writer.hpp),
// one changes the work (postgres_work_writer.hpp), one reads
// (postgres_reader.hpp), one keeps leases and shards (postgres_cluster.hpp).
//
// Nothing waits for the server without an end. Its connections have time limits
// on both sides, so that a server that hangs costs its callers seconds, and a
// node that hangs or is cut off holds no row for longer. While there is no
// connection all is answered at once: `store_unavailable`, or `failed`.
//
// What a commit means depends on the server (`replication`): if another one
// takes its place, what was on one disk only is lost. The store notices
// (`on_new_timeline`), and never goes back to a server of the past; a node drops
// what it has read and claimed before.

#pragma once

#include <memory>
#include <string>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"
#include "nodes/store/postgres_options.hpp"

namespace troupe {

class postgres_lock_table;
class postgres_reader;
class postgres_server;
class postgres_work_queue;
class postgres_writer;

/// Callbacks come from its threads.
class postgres_store final : public state_store {
public:
  /// @param url "postgresql://..." as libpq reads it
  /// @throws error_exception `bad_request` for a wrong URL, `store_unavailable`
  ///         if the server cannot be reached or is not fit
  explicit postgres_store(std::string url, postgres_options options = {});

  /// Commits and answers what waits.
  ~postgres_store() override;

  using state_store::claim;

  void claim(entity_id entity, fencing_token token,
             std::optional<shard_ownership> owned,
             callback<claimed_state> done) override;

  void commit(commit_request request, commit_callback done) override;

  void release(entity_id entity, fencing_token token) override;

  void find_outcome(entity_id entity, std::string id,
                    callback<std::optional<recorded_outcome>> done) override;

  void load(entity_id entity, callback<stored_state> done) override;

  void list(list_request request,
            callback<std::vector<listed_entity>> done) override;

  lock_table* locks() noexcept override;

  work_queue* work() noexcept override;

  /// Without the password.
  std::string describe() const override;

  /// Who is there, and who owns which shard. As long as this lives.
  lease_table& leases() noexcept;
  shard_table& shards() noexcept;

private:
  struct cluster_part;

  std::unique_ptr<postgres_server> server_;
  std::unique_ptr<postgres_reader> reader_;
  std::unique_ptr<postgres_lock_table> locks_;
  std::unique_ptr<cluster_part> cluster_;
  std::unique_ptr<postgres_writer> writer_;
  std::unique_ptr<postgres_work_queue> work_;
};

} // namespace troupe
