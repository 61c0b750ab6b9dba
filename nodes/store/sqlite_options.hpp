// How a SQLite store is run. The defaults are what a node uses; tests and tools
// change some.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "nodes/store/lock_clock.hpp"
#include "nodes/store/store_folder.hpp"

namespace troupe {

struct sqlite_options {
  /// Whether several processes may have the folder at once. A node has it
  /// alone until there is a cluster that says who owns which entity.
  folder_use use = folder_use::alone;

  /// Commits and reads that wait at most, each; past it they fail at once. As
  /// many as a few services may have under way.
  size_t queue = 262'144;

  /// Requests of one transaction at most: a bound on how long one takes.
  size_t requests_per_commit = 256;

  /// How long to wait for somebody else's lock (a backup, a shell).
  std::chrono::milliseconds busy_timeout = std::chrono::seconds{5};

  /// Pages of 4 KiB that the file may have; 0: no limit but the disk's.
  uint32_t pages_max = 0;

  /// Pages that come into the log between two checkpoints, which copy them into
  /// the file beside the commits. More makes for fewer writes, and a longer
  /// start after a crash.
  uint32_t checkpoint_pages = 4'000;

  /// Pages of the log past which commits wait until all of it is in the file,
  /// so that it begins anew; under a constant load it never would otherwise.
  uint32_t log_pages_max = 8'000;

  /// The VFS of SQLite that data.db is reached through; empty: its default.
  /// Tests give one that fails, or that records.
  std::string vfs;

  /// The wall clock, which tells when an outcome is old enough to go.
  std::function<std::chrono::system_clock::time_point()> now =
    std::chrono::system_clock::now;

  /// The clocks that tell when the time of a lock is over.
  std::function<lock_time()> lock_clock = read_lock_clock;
};

} // namespace troupe
