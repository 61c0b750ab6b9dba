// State that lives as long as the process: for tests, and for nodes whose
// services are caches. It keeps the whole contract but for durability.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "actors/core/backends.hpp"
#include "nodes/store/memory_cluster.hpp"
#include "nodes/store/memory_locks.hpp"
#include "nodes/store/memory_work.hpp"

namespace troupe {

/// Calls back before its functions return.
class memory_store final : public state_store {
public:
  /// @param shards what claims are checked against
  /// @param locks what commits are checked against
  explicit memory_store(std::shared_ptr<memory_shard_table> shards =
                          std::make_shared<memory_shard_table>(),
                        std::shared_ptr<memory_lock_table> locks =
                          std::make_shared<memory_lock_table>())
    : shards_(std::move(shards)), locks_(std::move(locks)) {}

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

  lock_table* locks() noexcept override { return locks_.get(); }

  work_queue* work() noexcept override { return &work_; }

  std::string describe() const override { return "memory:"; }

  memory_shard_table& shards() noexcept { return *shards_; }

private:
  struct row {
    stored_state state;
    std::optional<fencing_token> token;
  };

  struct timed_outcome {
    recorded_outcome outcome;
    std::chrono::steady_clock::time_point recorded;
  };

  using outcome_id = std::pair<entity_id, std::string>;

  commit_outcome apply(commit_request request);

  bool fits(const commit_request& request) const;

  void write(commit_request request);

  claimed_state take(entity_id entity, fencing_token token);

  /// Drops outcomes that are older than they need be kept.
  void forget_old_outcomes();

  std::shared_ptr<memory_shard_table> shards_;
  std::shared_ptr<memory_lock_table> locks_;
  memory_work_queue work_;
  std::mutex mutex_;
  std::map<entity_id, row> entities_;
  std::map<outcome_id, timed_outcome> outcomes_;
  std::multimap<std::chrono::steady_clock::time_point, outcome_id> by_age_;
};

} // namespace troupe
