#include "nodes/store/sqlite_connection.hpp"

#include <sqlite3.h>

namespace troupe {

namespace {

/// SQLite keeps count of its memory, of which nobody asks, under a lock of the
/// process for each piece of it. Without effect if it is in use already.
void count_no_memory() {
  static const auto done [[maybe_unused]] =
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

} // namespace

error store_unavailable(std::string why) {
  return error{errc::store_unavailable, std::move(why)}.retry_after(1);
}

void refuse_file(const std::filesystem::path& file, const std::string& why) {
  throw error_exception{
    error{errc::store_unavailable, "'" + file.string() + "' " + why}};
}

SQLite::Database open_connection(const std::filesystem::path& file,
                                 const sqlite_options& options) {
  count_no_memory();
  const auto flags =
    SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX;
  SQLite::Database db{file.string(), flags,
                      static_cast<int>(options.busy_timeout.count()),
                      options.vfs};
  db.exec("PRAGMA synchronous=FULL");
  // What is deleted is written over where the page is written anyhow; Debian's
  // SQLite would write pages for that alone.
  db.execAndGet("PRAGMA secure_delete=FAST");
  // A transaction that is not committed has written nothing: gathered_log would
  // keep some of it. It is in memory, as its requests are.
  db.exec("PRAGMA cache_spill=OFF");
  db.execAndGet("PRAGMA wal_autocheckpoint=0"); // sqlite_checkpointer does it
  if (options.pages_max > 0)
    db.execAndGet("PRAGMA max_page_count=" + std::to_string(options.pages_max));
  return db;
}

int64_t read_pragma(SQLite::Database& db, const char* name) {
  return db.execAndGet(std::string{"PRAGMA "} + name).getInt64();
}

int run(SQLite::Database& db, SQLite::Statement& statement) noexcept {
  auto code = statement.tryExecuteStep();
  while (code == SQLITE_ROW)
    code = statement.tryExecuteStep();
  if (code != SQLITE_DONE)
    code = db.getExtendedErrorCode();
  statement.tryReset();
  return code;
}

bool change(SQLite::Database& db, SQLite::Statement& statement) {
  if (auto code = run(db, statement); code != SQLITE_DONE)
    throw SQLite::Exception{db.getHandle(), code};
  return db.getChanges() > 0;
}

token_bytes to_bytes(fencing_token token) noexcept {
  token_bytes result;
  for (int i = 0; i < 8; ++i) {
    result[i] = static_cast<unsigned char>(token.high >> (56 - 8 * i));
    result[8 + i] = static_cast<unsigned char>(token.low >> (56 - 8 * i));
  }
  return result;
}

std::optional<fencing_token> read_token(const SQLite::Column& column) noexcept {
  auto bytes = static_cast<const unsigned char*>(column.getBlob());
  if (!bytes || column.getBytes() != sizeof(token_bytes))
    return std::nullopt;
  fencing_token result;
  for (int i = 0; i < 8; ++i) {
    result.high = result.high << 8 | bytes[i];
    result.low = result.low << 8 | bytes[8 + i];
  }
  return result;
}

} // namespace troupe
