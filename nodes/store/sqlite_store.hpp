// Durable state in one file of this machine: a thread that writes, one that
// reads, and one that copies the log into the file (sqlite_writer.hpp,
// sqlite_reader.hpp, sqlite_checkpointer.hpp).
//
// A folder holds:
//   lock        held by the node that has the folder
//   data.db     entities, outcomes, shards, locks, work
//               (sqlite_schema.cpp);
//               WAL, synchronous=FULL, written through gathered_log.hpp
//   cluster.db  the node that has the folder; a file of its own, so that what a
//               cluster renews in it never waits for commits
//
// A COMMIT that fails may still have reached the disk, also one that fails for a
// full disk (the log is reused, and what lies in it can be what did not fit). The
// store makes it certain by writing something else over it (the `fence` table):
// once that is durable the failed transaction cannot come back, not even by a
// crash. Until then its outcome is `unknown`, claims and commits fail, and reads
// go on without it.
//
// An entity that was deleted leaves a row with its revision and token for ever:
// without it an `If-Match` of long ago could match a new entity of that key.

#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"
#include "nodes/store/gathered_log.hpp"
#include "nodes/store/sqlite_options.hpp"
#include "nodes/store/store_folder.hpp"

namespace troupe {

class node_presence;
class sqlite_checkpointer;
class sqlite_reader;
class sqlite_work_queue;
class sqlite_writer;

/// Callbacks come from its threads.
class sqlite_store final : public state_store {
public:
  /// @throws error_exception `store_unavailable` with the reason
  explicit sqlite_store(const std::filesystem::path& folder,
                        sqlite_options options = {});

  /// Commits and answers what waits.
  ~sqlite_store() override;

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

  std::string describe() const override;

  /// Who owns which shard: in the same file, so that claims can be checked
  /// against it. As long as this lives.
  shard_table& shards() noexcept;

private:
  class lock_part;
  class shard_part;

  template <class T, class Query>
  void ask(callback<T> done, Query query);

  store_folder folder_;
  gathered_log log_;
  std::unique_ptr<node_presence> presence_;
  std::unique_ptr<sqlite_checkpointer> checkpointer_;
  std::unique_ptr<sqlite_writer> writer_;
  std::unique_ptr<sqlite_reader> reader_;
  std::unique_ptr<shard_part> shards_;
  std::unique_ptr<lock_part> locks_;
  std::unique_ptr<sqlite_work_queue> work_;
};

} // namespace troupe
