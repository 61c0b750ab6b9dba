// How work is written in the rows of PostgreSQL (postgres_schema.cpp has the
// tables). An id is a uuid: 16 bytes, the highest first, in the order of ids.

#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "actors/core/work_queue.hpp"
#include "nodes/store/postgres_values.hpp"

namespace troupe {

/// What the tables of what waits, is claimed or dead have in common.
#define TROUPE_WORK_ROW                                                        \
  "id, lane, priority, due_ms, expires_ms, accepted_ms, attempts, "            \
  "attempts_max, claimed_by, target, key, rest, answer_type, answer, body"

// -- values ------------------------------------------------------------------

std::string id_bytes(const invocation_id& id);

invocation_id read_id(const std::string& bytes);

inline int64_t to_ms(work_time x) noexcept {
  return x.time_since_epoch().count();
}

inline uint64_t as_element(work_time x) noexcept {
  return static_cast<uint64_t>(to_ms(x));
}

inline postgres_value as_int8(work_time x) {
  return as_int8(to_ms(x));
}

/// As PostgreSQL counts.
inline postgres_value as_limit(uint64_t x) {
  return as_int8(std::min<uint64_t>(x, INT64_MAX));
}

/// Longer arguments are in a table of their own, where they stay: they would be
/// written anew on each way from one table to the next.
constexpr size_t inline_body_max = 4096;

/// What else there is of an item.
std::string pack_rest(const work_item& x);

/// What makes a transaction large.
inline size_t bytes_of(const work_request& x) {
  return x.item.arguments.bytes.size() + x.item.notes.size();
}

// -- rows --------------------------------------------------------------------

/// A row is not what this store has written.
class damaged_row : public std::exception {
public:
  const char* what() const noexcept override {
    return "a row of work is damaged";
  }
};

/// What `read_claimed` reads; `body` is that of either table.
#define TROUPE_WORK_ITEM                                                       \
  "id, target, priority, due_ms, expires_ms, accepted_ms, attempts, "          \
  "attempts_max, rest"

/// @throws damaged_row
claimed_work read_claimed(const postgres_rows& x, int row);

/// The columns that `read_view` reads: `time` is due or finished.
#define TROUPE_WORK_VIEW(state, time, claimed_by)                              \
  state "::bigint AS state, id, target, priority, attempts, accepted_ms, "     \
        "answer_type, answer, " time " AS time, " claimed_by " AS claimed_by"

#define TROUPE_WORK_WAITING_VIEW TROUPE_WORK_VIEW("0", "due_ms", "''::bytea")
#define TROUPE_WORK_CLAIMED_VIEW                                               \
  TROUPE_WORK_VIEW("1", "0::bigint", "claimed_by")
#define TROUPE_WORK_DONE_VIEW                                                  \
  TROUPE_WORK_VIEW("state", "finished_ms", "''::bytea")
#define TROUPE_WORK_DEAD_VIEW TROUPE_WORK_VIEW("4", "finished_ms", "''::bytea")

/// @throws damaged_row
work_view read_view(const postgres_rows& x, int row);

// -- what statements have in common ------------------------------------------

/// A commit of this entity was done in the transaction of the statement: that has
/// written the entity's row, and nothing else of the transaction does.
#define TROUPE_COMMITTED_NOW(service_of_it, key_of_it)                         \
  "EXISTS (SELECT FROM entity e WHERE e.service = " service_of_it " "          \
  "AND e.key = " key_of_it " AND e.xmin = pg_current_xact_id()::xid OFFSET 0)"

/// Removes work as if it had never been there. A key may have been forgotten, and
/// used again.
#define TROUPE_WORK_PURGE(table, selected)                                     \
  "WITH selected AS MATERIALIZED (" selected "), taken AS ("                   \
  "DELETE FROM " table " d USING selected s WHERE d.id = ANY (ARRAY[s.id]) "   \
  "RETURNING d.id, d.target, d.key, d.body IS NULL AS is_long), "              \
  "bodies AS (DELETE FROM work_body b USING taken t "                          \
  "WHERE t.is_long AND b.id = ANY (ARRAY[t.id])), "                            \
  "keys AS (DELETE FROM work_key k USING taken t "                             \
  "WHERE k.target = ANY (ARRAY[t.target]) AND k.key = ANY (ARRAY[t.key]) "     \
  "AND k.id = t.id) "                                                          \
  "SELECT count(*) FROM taken"

// -- selections --------------------------------------------------------------

/// The ids that a selection is of: both included.
struct work_range {
  std::string first;
  std::string last;
};

/// Nothing if there can be none.
std::optional<work_range> range_of(const work_selection& which);

} // namespace troupe
