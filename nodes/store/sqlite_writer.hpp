// The one thread of a SQLite store that writes. An fsync costs as much as
// hundreds of rows, so it commits whatever waits in one transaction: the longer
// the disk takes, the more requests share the next fsync, and a lone one never
// waits for company, unless nobody waits for it either.

#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"
#include "actors/core/home_thread.hpp"
#include "nodes/store/batch_queue.hpp"
#include "nodes/store/sqlite_entities.hpp"
#include "nodes/store/sqlite_locks.hpp"
#include "nodes/store/sqlite_options.hpp"
#include "nodes/store/sqlite_shards.hpp"
#include "nodes/store/sqlite_work.hpp"
#include "nodes/store/write_turn.hpp"

struct sqlite3;

namespace troupe {

class sqlite_checkpointer;

class sqlite_writer {
public:
  struct claiming {
    entity_id entity;
    fencing_token token;
    std::optional<shard_ownership> owned;
    state_store::callback<claimed_state> done;
  };

  struct committing {
    commit_request request;
    state_store::commit_callback done;
  };

  struct releasing {
    entity_id entity;
    fencing_token token;
  };

  struct moving {
    std::vector<shard_move> moves;
    shard_table::callback<std::vector<move_result>> done;
  };

  /// Agrees on how many shards there are.
  struct counting {
    uint32_t count = 0;
    shard_table::callback<uint32_t> done;
  };

  /// Changes a lock.
  struct locking {
    std::function<lock_answer(sqlite_locks&, const lock_time&)> change;
    lock_table::callback<lock_answer> done;
  };

  /// A change of the work. It may be applied several times, of which the last
  /// one counts. To run it is to tell what came of it.
  class work_job : public home_thread::errand {
  public:
    /// May throw SQLite::Exception.
    virtual void apply(sqlite_work& to) = 0;

    /// `done`, `failed` or `unknown`.
    commit_outcome outcome = commit_outcome::failed;
  };

  struct working {
    std::unique_ptr<work_job> job;

    /// Where it is told; null: on this thread.
    std::shared_ptr<home_thread> home;
  };

  using job = std::variant<claiming, committing, releasing, moving, counting,
                           locking, working>;

  /// Makes the file, or brings it up to date.
  /// @throws error_exception `store_unavailable`, or SQLite::Exception
  sqlite_writer(const std::filesystem::path& file,
                const sqlite_options& options);

  sqlite_writer(const sqlite_writer&) = delete;
  sqlite_writer& operator=(const sqlite_writer&) = delete;

  /// Writes and answers what waits.
  ~sqlite_writer();

  /// Forgets the claims that a crash left of entities which were never
  /// committed. Only for who is alone with the file. Before `start`.
  void forget_uncommitted();

  /// Pages are given to `checkpointer`, which outlives this.
  void start(sqlite_checkpointer& checkpointer);

  /// False if too many wait; then `x` is as it was. Thread-safe.
  bool push(job& x) { return queue_.push(x); }

  /// The same for what nobody waits for: it comes into a transaction with others
  /// if there are any soon.
  bool push_patient(job& x) { return queue_.push_patient(x); }

  /// The same, ahead of all that waits: a shard without an owner stops many.
  bool push_first(job& x) { return queue_.push_first(x); }

private:
  /// What a job is told once its transaction is durable.
  struct answer {
    commit_outcome outcome = commit_outcome::failed;
    claimed_state found;
    std::vector<move_result> moved;
    uint32_t count = 0;
    lock_answer locked;
  };

  /// Tells whoever waits for `x`.
  void tell(claiming& x, answer& what);
  void tell(committing& x, answer& what);
  void tell(releasing&, answer&) {}
  void tell(moving& x, answer& what);
  void tell(counting& x, answer& what);
  void tell(locking& x, answer& what);
  void tell(working& x, answer& what);

  void work();

  void pass_turn_on() noexcept;

  /// One transaction. A request that is refused refuses only itself, and one
  /// that cannot be written fails only itself.
  void write();

  /// False if one of the requests cannot be written: it is left out from now
  /// on, and the transaction is undone.
  bool try_write();

  /// `group_[i]` cannot be written. True if nothing can.
  bool leave_out(size_t i);

  /// True if what is written so far can wait, and maybe there is more to write.
  bool wait_for_company(std::chrono::steady_clock::time_point until);

  /// False if it cannot be written.
  bool apply(job& x, answer& to);

  // These throw SQLite::Exception.
  void put(claiming& x, answer& to);
  void put(committing& x, answer& to);
  void put(releasing& x, answer& to);
  void put(moving& x, answer& to);
  void put(counting& x, answer& to);
  void put(locking& x, answer& to);
  void put(working& x, answer& to);

  /// Called by SQLite after each commit.
  static int log_has_grown(void* self, sqlite3*, const char*, int pages);

  /// Lets the log begin anew before it grows past its limit.
  void bound_log();

  void fail_all(commit_outcome outcome);

  /// A COMMIT that failed may have reached the disk all the same, and would come
  /// back with the next start. Writes something else over it; false if that
  /// fails too, so that nobody knows.
  bool settle();
  bool write_fence();

  void answer_all();
  home_thread::errands& errands_of(std::shared_ptr<home_thread> home);

  SQLite::Database db_;
  SQLite::Statement begin_;
  SQLite::Statement commit_;
  SQLite::Statement rollback_;
  SQLite::Statement fence_;
  sqlite_entities entities_;
  sqlite_shards shards_;
  sqlite_locks locks_;
  sqlite_work work_;
  std::function<lock_time()> lock_clock_;
  uint32_t log_pages_ = 0;
  uint32_t log_pages_max_;
  uint32_t next_bound_pages_;
  uint32_t bound_step_pages_;
  sqlite_checkpointer* checkpointer_ = nullptr;
  std::vector<job> group_;
  std::vector<answer> answers_;
  std::vector<bool> left_out_;

  /// What those homes are to be told; there are few.
  std::vector<std::pair<std::shared_ptr<home_thread>, home_thread::errands>>
    errands_;
  batch_queue<job> queue_;
  size_t requests_per_commit_;
  std::chrono::milliseconds busy_timeout_;
  std::optional<write_turn> turn_; // if others may write too
  bool is_uncertain_ = false;
  std::thread thread_;
};

} // namespace troupe
