// What a store does to its files, in the order in which it does it, and from
// that the files that a power cut at any moment could leave.
//
// A file is what was synced last, and the writes and truncations since then,
// each of which may or may not have reached the disk.

#pragma once

#include <filesystem>
#include <mutex>
#include <random>
#include <vector>

#include "tests/support/watched_vfs.hpp"

namespace troupe::testing {

/// What becomes of writes that no sync followed.
enum class unsynced_writes {
  /// All are there: only the process died.
  all,
  /// None is.
  none,
  /// Any of them are.
  some,
  /// All before the last; of that one any of its sectors of 512 bytes.
  last_one_torn,
};

class recorded_disk {
public:
  recorded_disk()
    : vfs_([this](const file_operation& x) { return record(x); }) {}

  /// The name of the VFS that records.
  const std::string& vfs() const noexcept { return vfs_.name(); }

  /// How many operations were begun by now: what is done has a smaller index.
  size_t size() const;

  const file_operation& operator[](size_t i) const { return operations_[i]; }

  /// Makes the files in `folder` that a cut before operation `count` leaves.
  void rebuild(size_t count, unsynced_writes fate, std::mt19937& random,
               const std::filesystem::path& folder) const;

  /// As if no file had ever been synced: what a careless store would do.
  void forget_syncs();

private:
  operation_fate record(const file_operation& x);

  mutable std::mutex mutex_;
  std::vector<file_operation> operations_;
  watched_vfs vfs_;
};

} // namespace troupe::testing
