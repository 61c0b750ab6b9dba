// The tables of a PostgreSQL store: those of SQLite (sqlite_schema.hpp), in a
// schema of their own. Every change is one more step at the end of a list; a new
// database goes through all of them, so that it cannot differ from one that was
// migrated.
//
// Nodes that start at once take turns (an advisory lock). Statements of an older
// Troupe must still work after a step, or its nodes must be stopped first: a
// rolling upgrade has both at work.

#pragma once

#include <span>

#include "nodes/store/postgres_connection.hpp"

namespace troupe {

/// The steps; the n-th makes version n of n - 1. One that was released is never
/// changed again.
std::span<const char* const> postgres_schema_steps() noexcept;

/// The schema that the tables are in.
inline constexpr const char* postgres_schema_name = "troupe";

/// Brings the database to the newest version, wholly or not at all.
/// @throws error_exception `store_unavailable` if it is newer than this Troupe,
///         or another program's
/// @throws postgres_error
void migrate_schema(postgres_connection& db);

} // namespace troupe
