// The one thread of a PostgreSQL store that changes the work. As the one that
// commits entities does (postgres_writer.hpp), it takes all that waits, without a
// timer: while the server syncs, the next group gathers. A group is one
// transaction, in one pipeline, so that accepts, claims and reports of many
// callers share an fsync.
//
// If it fails, for a row that somebody has locked or a value that does not fit,
// its requests are tried one by one, in their order, each as a transaction: only
// the one that is to blame gets the error.
//
// A connection that is lost while a group is under way leaves it unknown. The
// session is ended before the next one begins, so that the same report, or the
// same work accepted again, settles it.

#pragma once

#include <chrono>
#include <functional>
#include <thread>
#include <variant>
#include <vector>

#include "actors/core/work_queue.hpp"
#include "nodes/store/batch_queue.hpp"
#include "nodes/store/postgres_session.hpp"
#include "nodes/store/postgres_work_steps.hpp"

namespace troupe {

class postgres_work_writer {
public:
  struct accepting {
    work_queue::request_ptr request;
    work_queue::callback<work_accepted> done;
  };

  struct accepting_all {
    std::vector<work_request> requests;
    work_queue::callback<std::vector<work_accepted>> done;
  };

  struct reporting {
    work_queue::report_ptr report;
    work_time now{};
    std::function<void(work_outcome)> done;
  };

  /// What takes many rows.
  struct moving {
    std::vector<postgres_call> calls;

    /// With the rows of each call.
    std::function<void(expected<std::vector<postgres_rows>>)> done;

    /// Nothing else is in its transaction.
    bool is_alone = true;
  };

  using job = std::variant<accepting, accepting_all, reporting, moving>;

  /// @throws error_exception `store_unavailable`
  explicit postgres_work_writer(postgres_server& server);

  postgres_work_writer(const postgres_work_writer&) = delete;
  postgres_work_writer& operator=(const postgres_work_writer&) = delete;

  /// Writes and answers what waits.
  ~postgres_work_writer();

  /// False if too many wait; then `x` is as it was. Thread-safe.
  bool push(job& x) { return queue_.push(x); }

private:
  /// Requests that are a transaction.
  struct group {
    std::vector<job*> jobs;
    /// For each job; of an `accepting_all` those of its requests.
    std::vector<std::vector<postgres_work_steps::place>> places;
    postgres_work_steps steps;
    size_t bytes = 0;
    bool is_full = false;
  };

  void work();
  void write(std::vector<job>& batch);
  bool has_room(const group& to, const job& x) const;
  void write_group(group& x);
  void write_one_by_one(const std::vector<job*>& failed);

  void vacuum();

  void answer(group& x, postgres_outcome& outcome);
  static void answer(accepting_all& x,
                     const postgres_work_steps::answers& found,
                     const std::vector<postgres_work_steps::place>& places);
  void answer_failed(job& x, const postgres_outcome& outcome);

  static void add(group& to, job& x);
  static void refuse(job& x, const std::string& why);

  postgres_session session_;
  size_t bytes_max_;

  /// Rows of what is under way, since the last vacuum.
  size_t removed_ = 0;
  std::chrono::steady_clock::time_point next_vacuum_{};

  batch_queue<job> queue_;
  std::thread thread_;
};

} // namespace troupe
