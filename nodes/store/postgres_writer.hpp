// The one thread of a PostgreSQL store that claims and commits. It commits
// whatever waits, without a timer: the longer the server's disk takes, the more
// requests share the next fsync, and a lone one never waits for company.
//
// Requests of one entity keep their order: what waits is done in waves, in each
// of which an entity has one request at most. A wave is a transaction for each
// kind of request (postgres_group.hpp), and these go out together; that of commits
// has the work that they bring (postgres_commit_work.hpp). If one fails, for a row
// that somebody has locked or a value that does not fit, its requests are tried
// one by one, so that the fault is answered by its own request.
//
// A connection that is lost while a commit is under way leaves it unknown. The
// session is ended before the next one begins, and commits that were on their
// way with it; one that the server still works on has its rows locked until it
// is through. So a claim that succeeds later settles it.

#pragma once

#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "actors/core/backends.hpp"
#include "nodes/store/batch_queue.hpp"
#include "nodes/store/postgres_group.hpp"
#include "nodes/store/postgres_session.hpp"

namespace troupe {

class postgres_writer {
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

  using job = std::variant<claiming, committing, releasing>;

  /// @throws error_exception `store_unavailable`
  explicit postgres_writer(postgres_server& server);

  postgres_writer(const postgres_writer&) = delete;
  postgres_writer& operator=(const postgres_writer&) = delete;

  /// Writes and answers what waits.
  ~postgres_writer();

  /// False if too many wait; then `x` is as it was. Thread-safe.
  bool push(job& x) { return queue_.push(x); }

private:
  /// Requests of one kind, each of another entity.
  using part = std::vector<job*>;

  void work();
  void write(std::vector<job>& batch);
  void write_wave(part wave);
  std::vector<part> split(const part& wave);
  void write_parts(const std::vector<part>& parts);
  void write_one_by_one(const part& failed);

  /// Sends each as a transaction.
  /// @param is_patient waits for rows that are locked
  std::vector<postgres_outcome> send(const std::vector<part>& parts,
                                     bool is_patient);

  void answer(const part& xs, postgres_outcome& outcome);
  void answer_done(const part& xs, const postgres_rows& rows);
  void answer_failed(job& x, const postgres_outcome& outcome);
  void refuse(job& x, const std::string& why);

  /// In its own time, a step.
  void remove_old_outcomes();

  postgres_session session_;
  batch_queue<job> queue_;
  std::chrono::steady_clock::time_point next_removal_{};
  std::thread thread_;
};

} // namespace troupe
