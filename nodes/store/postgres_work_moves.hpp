// What takes many rows of work at once: claims of nodes, what is old, and what
// operators ask for. Each is one statement.
//
// Rows are joined by `id = ANY (ARRAY[other.id])`, which a planner can only do in
// one way: to look for each by the index of ids. By `id = other.id` it goes
// through all of a table that had few rows when it planned.

#pragma once

#include <string>
#include <vector>

#include "actors/core/work_queue.hpp"
#include "nodes/store/postgres_connection.hpp"

namespace troupe {

struct postgres_work_moves {
  static std::vector<const postgres_statement*> statements();

  // -- claims ----------------------------------------------------------------

  /// One call for quotas whose lanes differ, and the next one from where a lane
  /// comes again.
  static std::vector<postgres_call> claim(const std::string& claimed_by,
                                          const std::vector<work_quota>& quotas,
                                          work_time now);

  /// To be read as claims are.
  static postgres_call claim_expired(const std::string& claimed_by,
                                     work_time now, size_t limit);

  /// @throws damaged_row
  static std::vector<claimed_work>
  read_claims(const std::vector<postgres_rows>& xs);

  // -- each gives one row with how many there were ---------------------------

  static postgres_call give_back(const std::string& claimed_by, work_time now,
                                 size_t limit);

  static postgres_call forget(work_time finished, work_time died, work_time now,
                              size_t limit);

  /// Without a call: there is nothing to do. So it is with `purge`.
  static std::vector<postgres_call> redrive(const work_selection& which,
                                            work_time now, work_time expires);

  static std::vector<postgres_call> purge(const work_selection& which);
};

} // namespace troupe
