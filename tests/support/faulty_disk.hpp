// A disk on which something fails, and what a process that is killed on it leaves.

#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include <sqlite3.h>

#include "tests/support/watched_vfs.hpp"

namespace troupe::testing {

/// What fails.
struct fault {
  const char* name;
  file_operation::kind what;
  int code;

  /// Until it is taken away; else once.
  bool stays;

  /// The disk did it, and only said that it did not.
  bool is_done_all_the_same;
};

inline constexpr fault faults[] = {
  {"full_disk", file_operation::kind::write, SQLITE_FULL, true, false},
  {"full_once", file_operation::kind::write, SQLITE_FULL, false, false},
  {"write_error", file_operation::kind::write, SQLITE_IOERR_WRITE, true, false},
  {"write_error_once", file_operation::kind::write, SQLITE_IOERR_WRITE, false,
   false},
  {"write_lies", file_operation::kind::write, SQLITE_IOERR_WRITE, true, true},
  {"write_lies_once", file_operation::kind::write, SQLITE_IOERR_WRITE, false,
   true},
  {"sync_error", file_operation::kind::sync, SQLITE_IOERR_FSYNC, true, false},
  {"sync_error_once", file_operation::kind::sync, SQLITE_IOERR_FSYNC, false,
   false},
  {"sync_lies_once", file_operation::kind::sync, SQLITE_IOERR_FSYNC, false,
   true},
  {"truncate_error", file_operation::kind::truncate, SQLITE_IOERR_TRUNCATE,
   true, false},
  {"read_error", file_operation::kind::read, SQLITE_IOERR_READ, true, false},
  {"read_error_once", file_operation::kind::read, SQLITE_IOERR_READ, false,
   false},
  {"remove_error", file_operation::kind::remove, SQLITE_IOERR_DELETE, true,
   false},
};

/// A disk on which the n-th operation of a kind fails.
class faulty_disk {
public:
  faulty_disk(const fault& what, int n) : fault_(what), left_(n) {}

  const std::string& vfs() const { return vfs_.name(); }

  void repair() { is_repaired_ = true; }

  /// Whether there was an n-th operation.
  bool was_met() const { return left_ <= 0; }

private:
  operation_fate watch(const file_operation& x) {
    if (is_repaired_ || x.what != fault_.what)
      return {};
    auto left = --left_;
    if (left == 0 || (left < 0 && fault_.stays))
      return {fault_.code, fault_.is_done_all_the_same};
    return {};
  }

  const fault& fault_;
  std::atomic<int> left_;
  std::atomic<bool> is_repaired_{false};
  watched_vfs vfs_{[this](const file_operation& x) { return watch(x); }};
};

/// False if a file went while it was copied: then they do not belong
/// together.
inline bool copy_files(const std::filesystem::path& from,
                       const std::filesystem::path& to) {
  for (auto name : {"data.db", "data.db-wal", "data.db-journal"}) {
    std::filesystem::remove(to / name);
    if (!std::filesystem::exists(from / name))
      continue;
    std::error_code gone;
    std::filesystem::copy(from / name, to / name, gone);
    if (gone)
      return false;
  }
  return true;
}

/// Copies the files of a store while it runs.
inline void copy_store(const std::filesystem::path& from,
                       const std::filesystem::path& to) {
  for (int i = 0; i < 100 && !copy_files(from, to); ++i)
    ;
}

} // namespace troupe::testing
