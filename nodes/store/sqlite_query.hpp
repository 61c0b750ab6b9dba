// A prepared query that is run once more, and is over with its scope, whatever
// is thrown: one that is left open would keep its snapshot of the file, and the
// log could not begin anew.

#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace troupe {

/// @pre all is bound
class sqlite_query {
public:
  explicit sqlite_query(SQLite::Statement& statement) : statement_(statement) {}

  sqlite_query(const sqlite_query&) = delete;
  sqlite_query& operator=(const sqlite_query&) = delete;

  ~sqlite_query() { statement_.tryReset(); }

  /// To the next row; false if there is none.
  bool next() { return statement_.executeStep(); }

  SQLite::Column column(int index) { return statement_.getColumn(index); }

  int64_t number(int index) { return column(index).getInt64(); }

  std::string bytes(int index) { return column(index).getString(); }

private:
  SQLite::Statement& statement_;
};

} // namespace troupe
