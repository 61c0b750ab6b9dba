// The table of locks in data.db, for the thread that writes it: every function is
// a part of that thread's transaction, and may throw SQLite::Exception.

#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/lock_backend.hpp"
#include "actors/model/lock_record.hpp"

namespace troupe {

class sqlite_locks {
public:
  explicit sqlite_locks(SQLite::Database& db);

  lock_answer acquire(const lock_request& request, const lock_time& now);

  lock_answer renew(const lock_proof& held,
                    std::optional<std::chrono::milliseconds> ttl,
                    const lock_time& now);

  lock_answer release(const lock_proof& held, const lock_time& now);

  /// All of them are held.
  bool prove(const std::vector<lock_proof>& proofs);

  /// The columns that `read_record` reads.
  static constexpr const char* columns =
    "token, holder, ttl_ms, boot, end_since_boot_ms, end_wall_ms";

private:
  lock_record find(const std::string& name);

  /// Lets `f` change the record, and writes it if it did.
  template <class F>
  lock_answer change(const std::string& name, const lock_time& now, F f);

  void save(const std::string& name, const lock_record& x);

  SQLite::Database& db_;
  SQLite::Statement find_;
  SQLite::Statement save_;
};

class sqlite_query;

/// The record in the row that `row` is at, which has `sqlite_locks::columns`.
lock_record read_record(sqlite_query& row);

} // namespace troupe
