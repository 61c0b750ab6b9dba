#include "apps/bench/machine.hpp"

#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include <sched.h>
#include <sys/utsname.h>

#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

namespace {

/// The value of the first line "KEY ...: VALUE" of a file; empty if none.
std::string field_of(const std::string& file, const std::string& key) {
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);) {
    auto colon = line.find(':');
    if (!line.starts_with(key) || colon == line.npos)
      continue;
    auto start = line.find_first_not_of(" \t", colon + 1);
    return start == line.npos ? "" : line.substr(start);
  }
  return {};
}

/// The cores that this process may use.
std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> result;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &set))
      result.push_back(i);
  return result;
}

size_t bytes(const std::string& kilobytes) {
  return std::strtoull(kilobytes.c_str(), nullptr, 10) * 1024;
}

} // namespace

std::string describe_machine() {
  utsname system{};
  ::uname(&system);
  std::string load;
  std::ifstream{"/proc/loadavg"} >> load;
  std::ostringstream result;
  result << allowed_cores().size() << " cores, "
         << field_of("/proc/cpuinfo", "model name") << ", " << system.sysname
         << ' ' << system.release << ", load " << load;
  return result.str();
}

std::filesystem::path build_folder() {
  return std::filesystem::read_symlink("/proc/self/exe")
    .parent_path()
    .parent_path();
}

core_pair two_cores() {
  auto cores = allowed_cores();
  if (cores.size() < 2)
    throw cannot_measure{"one core for the server and another one for its "
                         "clients are needed"};
  return {cores[0], cores[1]};
}

pinned::pinned(int core) {
  CPU_ZERO(&before_);
  ::sched_getaffinity(0, sizeof(before_), &before_);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

pinned::~pinned() {
  ::sched_setaffinity(0, sizeof(before_), &before_);
}

memory_use memory_of(pid_t process) {
  auto file = "/proc/" + std::to_string(process) + "/smaps_rollup";
  return {bytes(field_of(file, "Pss:")), bytes(field_of(file, "Rss:")),
          bytes(field_of(file, "Anonymous:"))};
}

double cpu_seconds_of(pid_t process) {
  clockid_t clock{};
  timespec spent{};
  if (::clock_getcpuclockid(process, &clock) != 0
      || ::clock_gettime(clock, &spent) != 0)
    return 0;
  return static_cast<double>(spent.tv_sec)
         + static_cast<double>(spent.tv_nsec) / 1e9;
}

} // namespace troupe::bench
