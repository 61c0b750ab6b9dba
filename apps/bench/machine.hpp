// What the figures were measured on, and the parts of it that the bench gives
// to servers and clients.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include <sched.h>
#include <sys/types.h>

namespace troupe::bench {

/// "2 cores, AMD EPYC, Linux 6.1.0, load 0.3"
std::string describe_machine();

/// Where `bin` and `lib` are that the bench was built with.
std::filesystem::path build_folder();

/// One core for the server and another one for its clients.
struct core_pair {
  int server = 0;
  int client = 0;
};

/// @throws cannot_measure if this process may use one core only
core_pair two_cores();

/// Keeps the calling thread on one core.
class pinned {
public:
  explicit pinned(int core);

  pinned(const pinned&) = delete;

  ~pinned();

private:
  cpu_set_t before_;
};

/// Memory of a process in bytes; 0 if it is gone.
struct memory_use {
  /// Pages that several processes map count in part.
  size_t pss = 0;

  /// Pages that several processes map count in full.
  size_t rss = 0;

  /// The part of `rss` that is no file's.
  size_t anonymous = 0;
};

memory_use memory_of(pid_t process);

/// What the processor did for a process until now, in seconds.
double cpu_seconds_of(pid_t process);

} // namespace troupe::bench
