// The thread of a SQLite store that copies the log into the file. SQLite's own
// checkpoints run inside a COMMIT, and everybody who waits for that commit would
// wait for them too. This one runs beside the commits, which only pay for what
// it could not do: the end of a log that never stops growing
// (`sqlite_writer::bound_log`).

#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <thread>

#include <SQLiteCpp/SQLiteCpp.h>

#include "nodes/store/sqlite_options.hpp"

namespace troupe {

class sqlite_checkpointer {
public:
  /// @throws SQLite::Exception
  sqlite_checkpointer(const std::filesystem::path& file,
                      const sqlite_options& options);

  sqlite_checkpointer(const sqlite_checkpointer&) = delete;
  sqlite_checkpointer& operator=(const sqlite_checkpointer&) = delete;

  ~sqlite_checkpointer();

  void start();

  /// The log has so many pages now. Never blocks for long. One thread.
  void log_has(uint32_t pages);

  /// Copies all of the log that no reader holds back, and returns when it is
  /// done. If nobody writes meanwhile, the log begins anew with the next
  /// transaction. Thread-safe.
  void copy_log();

private:
  void work();

  std::mutex copying_; // guards db_
  SQLite::Database db_;
  uint32_t step_pages_;
  uint32_t seen_pages_ = 0;
  uint32_t next_pages_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_due_ = false;
  bool is_closed_ = false;
  std::thread thread_;
};

} // namespace troupe
