// The tables of a store's files, and how a file of an earlier version gets them.
// Every change of the tables is one more step at the end of a list; a new file
// goes through all of them, so that it cannot differ from one that was migrated.

#pragma once

#include <filesystem>
#include <span>

#include <SQLiteCpp/SQLiteCpp.h>

namespace troupe {

/// The tables of one kind of file.
struct sqlite_schema {
  using step = void (*)(SQLite::Database&);

  /// Marks a file as one of this kind; kept in `application_id`.
  int application_id;

  /// The n-th makes version n of n - 1. One that was released is never changed
  /// again.
  std::span<const step> steps;

  /// The newest version; that of a file is kept in `user_version`.
  int version() const noexcept { return static_cast<int>(steps.size()); }
};

/// data.db: entities, outcomes, who owns which shard, locks,
/// work.
const sqlite_schema& data_schema() noexcept;

/// cluster.db: the node that has the folder, or those that share it.
const sqlite_schema& cluster_schema() noexcept;

/// The version of the file; 0 if it is empty.
/// @throws error_exception `store_unavailable` if it is something else's, or
///         newer than this Troupe
int check_schema(SQLite::Database& db, const std::filesystem::path& file,
                 const sqlite_schema& schema);

/// Brings the file to the newest version, wholly or not at all.
/// @throws error_exception as `check_schema`
void migrate_schema(SQLite::Database& db, const std::filesystem::path& file,
                    const sqlite_schema& schema);

} // namespace troupe
