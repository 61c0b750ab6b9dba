// The tables of work in data.db, for the thread that writes it: every function is
// a part of that thread's transaction, and may throw SQLite::Exception.
//
// There is a table for each state. Work goes from one to the next, so that what
// is under way is a small table without any index, whatever waits and whatever
// has ended: a job that begins at once, the most frequent by far, is written
// there, and goes on to those that are done, which have one index. (To keep all
// of it in one table, with partial indexes, costs a job a quarter more of the
// processor: SQLite opens each index with each statement.)
//
// Arguments of more than a few KiB have a table of their own, where they stay:
// they would be written anew on each way.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/work_queue.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_work_statements.hpp"

namespace troupe {

class sqlite_work {
public:
  explicit sqlite_work(SQLite::Database& db);

  /// A transaction begins: what others wrote before it is not known.
  void begin() noexcept;

  /// Removes work that waits without a trace; other work stays.
  void withdraw(const invocation_id& id);

  // See `work_queue`.

  expected<work_accepted> accept(const work_request& x);

  std::vector<claimed_work> claim(const std::string& claimed_by,
                                  const std::vector<work_quota>& quotas,
                                  work_time now);

  /// `done` or `refused`.
  work_outcome report(const work_report& x, work_time now);

  size_t give_back(const std::string& claimed_by, work_time now, size_t limit);

  std::vector<claimed_work> claim_expired(const std::string& claimed_by,
                                          work_time now, size_t limit);

  size_t forget(work_time finished, work_time died, work_time now,
                size_t limit);

  size_t redrive(const work_selection& which, work_time now, work_time expires);

  size_t purge(const work_selection& which);

private:
  /// A claim as it stands.
  struct claimed_row {
    /// Packed.
    std::string_view target;
    int64_t priority = 0;
    int64_t accepted_ms = 0;
    bool is_long = false;
  };

  bool is_known(const token_bytes& id);

  /// What `x` is told if its key is known; else the key is from now on.
  std::optional<expected<work_accepted>> add_key(const work_request& x,
                                                 const token_bytes& id,
                                                 const std::string& target);
  void insert(const work_request& x, const token_bytes& id,
              const std::string& target);

  void take(const std::string& claimed_by, const work_quota& quota,
            work_time now, std::vector<claimed_work>& to);
  std::vector<token_bytes> due_of(const work_quota& quota, work_time now);

  /// Work that waits, with its attempts so far.
  claimed_work read_waiting(const token_bytes& id);

  /// Takes the row on to where the report says; false, and nothing changed, if it
  /// is not claimed so.
  bool settle(const work_report& x, const token_bytes& id, work_time now);

  /// Nothing if it is not claimed so.
  std::optional<claimed_row> find_claim(const work_report& x,
                                        const token_bytes& id);

  /// False, and nothing changed, if it is not claimed so.
  bool end_claim(const work_report& x, const token_bytes& id);

  bool stands_as_left_by(const work_report& x, const token_bytes& id);
  void finish(const work_report& x, const token_bytes& id,
              const claimed_row& row, work_time now);
  void wait_again(const token_bytes& id, work_time due, uint32_t attempts,
                  const payload* answer,
                  std::optional<work_time> expires = std::nullopt);
  int64_t next_done_number(work_time now);

  void remove_body(const token_bytes& id);

  void bury(const token_bytes& id, const payload& reason, work_time now);
  void remove(SQLite::Statement& statement, const token_bytes& id);

  std::vector<token_bytes> select(const work_selection& which);
  void purge(const token_bytes& id, SQLite::Statement& read,
             SQLite::Statement& remove_row);
  size_t remove_dead(work_time died, size_t limit);

  SQLite::Database& db_;
  sqlite_work_statements sql_;

  // What a transaction has found out, and keeps up to date: with that, most
  // requests of a group need not look.

  /// The highest id of all work.
  std::optional<token_bytes> highest_;

  /// What is bound packed; their memory is kept.
  std::string packed_target_;
  std::string packed_rest_;

  /// The last number of work that was done in a millisecond, known if this
  /// transaction has asked.
  int64_t done_ms_ = -1;
  int64_t done_number_ = 0;
};

} // namespace troupe
