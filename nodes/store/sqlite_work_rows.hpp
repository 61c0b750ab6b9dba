// How work is written in the rows of data.db (sqlite_schema.cpp has the tables,
// sqlite_work.hpp says why there are several). What is never searched for is
// packed into two columns (work_packing.hpp).

#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/work_queue.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/work_packing.hpp"

namespace troupe {

// -- packed texts ------------------------------------------------------------

/// @throws SQLite::Exception if `packed` has other parts
void unpack(std::string_view packed, std::initializer_list<std::string*> parts);

work_target unpack_target(std::string_view packed);

/// What else there is of an item.
/// Into `to`, which keeps its memory.
void pack_rest(std::string& to, const work_item& x,
               std::string_view idempotency_key);

// -- values ------------------------------------------------------------------

inline token_bytes to_bytes(const invocation_id& x) noexcept {
  return to_bytes(fencing_token{x.high, x.low});
}

invocation_id read_id(const SQLite::Column& column) noexcept;

inline int64_t to_ms(work_time x) noexcept {
  return x.time_since_epoch().count();
}

inline work_time to_time(int64_t ms) noexcept {
  return work_time{std::chrono::milliseconds{ms}};
}

/// A column as it is, valid until the next row.
std::string_view view_of(const SQLite::Column& column) noexcept;

// -- numbers of work that is done --------------------------------------------

// Rows of work that is done are numbered by when it ended, so that the oldest
// are found without an index.

/// For how many of one millisecond there are numbers.
constexpr int done_number_bits = 20;

/// The lowest number of a time.
int64_t first_done_number(work_time x) noexcept;

inline work_time time_of_done(int64_t number) noexcept {
  return to_time(number >> done_number_bits);
}

// -- rows --------------------------------------------------------------------

/// The columns that `read_item` reads, of work that waits, is claimed or dead.
inline constexpr const char* item_columns =
  "id, target, priority, due_ms, expires_ms, accepted_ms, attempts_max, rest, "
  "body";

/// A row with `item_columns`; nothing in its arguments if they are elsewhere.
struct item_row {
  work_item item;
  std::string idempotency_key;

  /// The arguments are in the table of long ones.
  bool is_long = false;
};

item_row read_item(sqlite_query& row);

/// The columns that `read_view` reads from the table of a state.
std::string view_columns(work_state state);

work_view read_view(sqlite_query& row);

/// The tables, by state.
const char* table_of(work_state state) noexcept;

/// Asks for the rows of a selection, by id.
/// @pre they are waiting, claimed or dead
class work_selection_query {
public:
  /// @param which outlives this
  work_selection_query(SQLite::Database& db, const work_selection& which,
                       const std::string& columns);

  SQLite::Statement& statement() noexcept { return statement_; }

private:
  token_bytes id_{};
  token_bytes after_{};
  SQLite::Statement statement_;
};

} // namespace troupe
