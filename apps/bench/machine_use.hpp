// What the machine did while something was measured, and what that says about
// the figure: whether more calls could have been done on it.

#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::bench {

/// Of the device on which a folder is.
struct disk_use {
  /// Part of the time in which it had something to do, 0 to 1.
  double busy = 0;

  /// Made durable, a second: what an fsync asks for.
  double flushes = 0;
};

struct machine_use {
  double seconds = 0;
  unsigned cores = 0;

  /// Parts of all cores together, 0 to 1.
  double busy = 0;
  double nodes = 0;
  double clients = 0;
  double store = 0;

  /// Of work that has nothing to do with what is measured.
  double others() const noexcept {
    return std::max(busy - nodes - clients - store, 0.0);
  }

  /// Nothing where the kernel does not count it, as for a folder in memory.
  std::optional<disk_use> disk;

  /// Of a part, in seconds of one core.
  double core_seconds(double part) const noexcept {
    return part * cores * seconds;
  }
};

/// What kept the calls from being more, in a line: cores or the disk, if they
/// were full, or other work if that had much of the cores; else that something
/// is waited for.
std::string bound_of(const machine_use& x);

/// Measures from its beginning on.
class machine_meter {
public:
  /// @param nodes live as long as it measures
  /// @param folder what is kept is there
  /// @param store a server that works in its children; 0: none
  machine_meter(std::vector<pid_t> nodes, const std::filesystem::path& folder,
                pid_t store = 0);

  /// Clients are children of this process that have ended and were waited for
  /// meanwhile.
  machine_use used() const;

private:
  struct counters {
    std::chrono::steady_clock::time_point time;
    double all = 0;  // ticks of all cores
    double idle = 0; // the same
    double nodes = 0;
    double clients = 0;
    double store = 0;
    double disk_ms = 0;
    double flushes = 0;
  };

  counters read() const;

  std::vector<pid_t> nodes_;
  pid_t store_;
  std::filesystem::path disk_; // empty: not counted
  counters before_;
};

} // namespace troupe::bench
