// Entities and their outcomes in data.db, for the thread that writes it: every
// function is a part of that thread's transaction, and may throw
// SQLite::Exception.

#pragma once

#include <chrono>
#include <functional>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/backends.hpp"

namespace troupe {

class sqlite_locks;
class sqlite_work;

class sqlite_entities {
public:
  /// @param now tells when an outcome is old enough to go
  sqlite_entities(SQLite::Database& db,
                  std::function<std::chrono::system_clock::time_point()> now);

  /// See `sqlite_writer`.
  void forget_uncommitted();

  claimed_state claim(const entity_id& entity, fencing_token token);

  void release(const entity_id& entity, fencing_token token);

  commit_outcome commit(const commit_request& request, sqlite_locks& locks,
                        sqlite_work& work);

  /// One step of removing what is old; more comes with the next group. Does not
  /// throw.
  void remove_old_outcomes();

private:
  claimed_state find(const entity_id& entity, bool& is_known);
  bool has_recorded(const commit_request& x);
  bool is_at_base(const commit_request& x);
  bool change_entity(const commit_request& x);
  void add_outcomes(const commit_request& x);
  size_t remove_oldest_outcomes(int64_t before_ms);
  int64_t now_ms() const;

  SQLite::Database& db_;
  std::function<std::chrono::system_clock::time_point()> now_;
  int64_t next_removal_ms_ = 0;
  SQLite::Statement find_;
  SQLite::Statement insert_;
  SQLite::Statement set_token_;
  SQLite::Statement update_;
  SQLite::Statement at_base_;
  SQLite::Statement remove_uncommitted_;
  SQLite::Statement find_outcome_;
  SQLite::Statement add_outcome_;
  SQLite::Statement oldest_outcomes_;
  SQLite::Statement remove_outcomes_;
};

} // namespace troupe
