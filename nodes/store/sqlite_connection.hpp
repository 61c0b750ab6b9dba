// What the connections of a SQLite store have in common: how they are opened,
// how a statement is run, and what is said when it fails.

#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/backends.hpp"
#include "nodes/store/sqlite_options.hpp"

namespace troupe {

/// What callers get while the store does not answer.
error store_unavailable(std::string why);

/// @throws error_exception `store_unavailable`: `file` cannot be used
[[noreturn]] void refuse_file(const std::filesystem::path& file,
                              const std::string& why);

/// A connection of one thread that commits with an fsync.
SQLite::Database open_connection(const std::filesystem::path& file,
                                 const sqlite_options& options);

/// The number that a pragma gives.
int64_t read_pragma(SQLite::Database& db, const char* name);

/// Runs a statement to its end. Returns SQLite's extended code, SQLITE_DONE if
/// it went well.
int run(SQLite::Database& db, SQLite::Statement& statement) noexcept;

/// The same; true if it changed a row. @throws SQLite::Exception
bool change(SQLite::Database& db, SQLite::Statement& statement);

/// A token as it is stored: 16 bytes, the highest first.
using token_bytes = std::array<unsigned char, 16>;

token_bytes to_bytes(fencing_token token) noexcept;

/// Nothing if the column is NULL.
std::optional<fencing_token> read_token(const SQLite::Column& column) noexcept;

/// Bytes that are no text. As with all of these, they must live until the
/// statement has run.
template <class Bytes>
void bind_bytes(SQLite::Statement& statement, int index, const Bytes& bytes) {
  statement.bindNoCopy(index, bytes.data(), static_cast<int>(bytes.size()));
}

inline void bind_entity(SQLite::Statement& statement, const entity_id& x) {
  statement.bindNoCopy(1, x.service);
  statement.bindNoCopy(2, x.key);
}

/// As SQLite counts.
inline int64_t as_limit(size_t limit) noexcept {
  return static_cast<int64_t>(std::min<size_t>(limit, INT64_MAX));
}

inline void bind_number(SQLite::Statement& statement, int index, uint64_t x) {
  statement.bind(index, static_cast<int64_t>(x));
}

} // namespace troupe
