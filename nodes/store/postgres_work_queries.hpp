// What is asked of the work in PostgreSQL: each question is one statement, so
// that work which goes from one table to another meanwhile is found in one of
// them.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/core/work_queue.hpp"
#include "nodes/store/postgres_connection.hpp"

namespace troupe {

/// What reads rows throws damaged_row.
struct postgres_work_queries {
  static std::vector<const postgres_statement*> statements();

  static postgres_call find(const invocation_id& id);
  static std::optional<work_view> read_one(const postgres_rows& x);

  static postgres_call item(const invocation_id& id);
  static std::optional<work_item> read_item(const postgres_rows& x);

  /// Nothing if there can be no such work.
  static std::optional<postgres_call> list(const work_selection& which);
  static std::vector<work_view> read_list(const postgres_rows& x);

  static postgres_call count();
  static std::vector<work_count> read_counts(const postgres_rows& x);

  /// Looks at each lane and priority once, however much waits in it.
  static postgres_call lanes(const std::string& after, size_t limit);
  static std::vector<work_lane> read_lanes(const postgres_rows& x);

  static postgres_call claimants();
  static std::vector<std::string> read_claimants(const postgres_rows& x);
};

} // namespace troupe
