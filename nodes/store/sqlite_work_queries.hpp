// What is read of the work in data.db. Every function may throw
// SQLite::Exception.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// See `work_queue`.
class sqlite_work_queries {
public:
  explicit sqlite_work_queries(SQLite::Database& db);

  std::optional<work_view> find(invocation_id id);

  std::optional<work_item> item(invocation_id id);

  std::vector<work_view> list(const work_selection& which);

  std::vector<work_count> count();

  /// Looks at each lane and priority once, however much waits in it.
  std::vector<work_lane> lanes(std::string after, size_t limit);

  std::vector<std::string> claimants();

private:
  std::optional<work_time> first_due(const std::string& lane);

  SQLite::Database& db_;
  SQLite::Statement find_;
  SQLite::Statement item_;
  SQLite::Statement count_;
  SQLite::Statement next_lane_;
  SQLite::Statement next_priority_;
  SQLite::Statement claimants_;
};

} // namespace troupe
