// SQLite's way to its files with a test in the middle: it sees every write,
// truncation, sync and removal before it happens, can let it fail, and can write
// down what a power cut would leave. Syncs do not go to the disk, which makes
// runs over thousands of states quick.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct sqlite3_vfs;

namespace troupe::testing {

/// Something that is about to be done to a file.
struct file_operation {
  enum class kind : uint8_t { read, write, truncate, sync, remove };

  kind what = kind::write;

  /// Its name without the folder.
  std::string file;

  /// Where a write begins; the new length for a truncation.
  int64_t offset = 0;

  /// What is written.
  std::string bytes;
};

/// What is to become of it.
struct operation_fate {
  /// SQLITE_OK, or the code that SQLite is given.
  int code = 0;

  /// Done even though it fails: a disk whose answer got lost.
  bool is_done_all_the_same = false;
};

/// Registered with SQLite under its name for as long as it lives. No file may
/// be open through it at its end.
class watched_vfs {
public:
  /// Called by the threads that use the files.
  using watcher = std::function<operation_fate(const file_operation&)>;

  explicit watched_vfs(watcher watch);

  watched_vfs(const watched_vfs&) = delete;
  watched_vfs& operator=(const watched_vfs&) = delete;

  ~watched_vfs();

  const std::string& name() const noexcept;

private:
  struct content;

  std::unique_ptr<content> content_;
};

} // namespace troupe::testing
