// The tables of data.db, and how a file of an earlier version gets them. Every
// change of the tables is one more step at the end of a list; a new file goes
// through all of them, so that it cannot differ from one that was migrated.

#pragma once

#include <filesystem>

#include <SQLiteCpp/SQLiteCpp.h>

namespace troupe {

/// Marks a file as a store of Troupe's: "Trpe".
inline constexpr int sqlite_application_id = 0x54727065;

/// The version of the tables, kept in `user_version`.
inline constexpr int sqlite_schema_version = 2;

/// The version of the file; 0 if it is empty.
/// @throws error_exception `store_unavailable` if it is something else's, or
///         newer than this Troupe
int check_schema(SQLite::Database& db, const std::filesystem::path& file);

/// Brings the file to `sqlite_schema_version`, wholly or not at all.
/// @throws error_exception as `check_schema`
void migrate_schema(SQLite::Database& db, const std::filesystem::path& file);

} // namespace troupe
