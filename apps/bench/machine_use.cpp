#include "apps/bench/machine_use.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <sstream>
#include <utility>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

/// From here on a core or a disk has no room: the rest is in its pauses.
constexpr double full = 0.9;

/// Other work that has more of the cores than this is what the figure tells of.
constexpr double disturbing = 0.2;

template <class... Ts>
std::string format(const char* layout, Ts... xs) {
  char text[256];
  std::snprintf(text, sizeof(text), layout, xs...);
  return text;
}

std::string describe_cores(const machine_use& x) {
  auto result =
    format("%u cores %.0f %% busy: nodes %.0f %%, load generator %.0f %%, ",
           x.cores, x.busy * 100, x.nodes * 100, x.clients * 100);
  if (x.store > 0)
    result += format("store %.0f %%, ", x.store * 100);
  return result + format("others %.0f %%", x.others() * 100);
}

std::string describe_disk(const machine_use& x) {
  if (!x.disk)
    return "disk not counted";
  return format("disk %.0f %% busy, %.0f flushes/s", x.disk->busy * 100,
                x.disk->flushes);
}

/// Where the kernel counts what the device under `folder` does: the whole of
/// it, for parts have no count of flushes.
std::filesystem::path disk_of(const std::filesystem::path& folder) {
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0)
    return {};
  std::error_code none;
  auto device = std::filesystem::canonical(format("/sys/dev/block/%u:%u",
                                                  ::major(found.st_dev),
                                                  ::minor(found.st_dev)),
                                           none);
  if (none)
    return {};
  if (std::filesystem::exists(device / "partition"))
    device = device.parent_path();
  return device / "stat";
}

/// The numbers of the first line of a file, after its name if it has one.
std::vector<double> numbers_of(const std::filesystem::path& file,
                               bool has_name) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  std::istringstream text{line};
  std::string name;
  if (has_name)
    text >> name;
  std::vector<double> result;
  for (double x = 0; text >> x;)
    result.push_back(x);
  return result;
}

/// Of a process and its children that live.
double family_seconds(pid_t parent) {
  auto result = cpu_seconds_of(parent);
  std::ifstream children{
    format("/proc/%d/task/%d/children", int{parent}, int{parent})};
  for (pid_t child = 0; children >> child;)
    result += cpu_seconds_of(child);
  return result;
}

double seconds(const timeval& x) {
  return static_cast<double>(x.tv_sec) + static_cast<double>(x.tv_usec) / 1e6;
}

} // namespace

std::string bound_of(const machine_use& x) {
  auto both = describe_cores(x) + "; " + describe_disk(x);
  if (x.busy >= full && x.others() > disturbing)
    return "bound by other work on the machine: " + both;
  if (x.busy >= full)
    return "bound by the cores: " + both;
  if (x.disk && x.disk->busy >= full)
    return "bound by the disk: " + both;
  return "bound by waiting, nothing is full: " + both;
}

machine_meter::machine_meter(std::vector<pid_t> nodes,
                             const std::filesystem::path& folder, pid_t store)
  : nodes_(std::move(nodes)), store_(store), disk_(disk_of(folder)),
    before_(read()) {}

machine_meter::counters machine_meter::read() const {
  // Documentation/admin-guide/iostats.rst, filesystems/proc.rst
  constexpr size_t idle_at = 3;
  constexpr size_t io_wait_at = 4;
  constexpr size_t guest_at = 8; // counted as user's, too
  constexpr size_t disk_busy_at = 9;
  constexpr size_t flushes_at = 15;
  counters result;
  result.time = std::chrono::steady_clock::now();
  auto ticks = numbers_of("/proc/stat", true);
  if (ticks.size() >= guest_at) {
    result.all = std::accumulate(ticks.begin(), ticks.begin() + guest_at, 0.0);
    result.idle = ticks[idle_at] + ticks[io_wait_at];
  }
  for (auto x : nodes_)
    result.nodes += cpu_seconds_of(x);
  if (store_ > 0)
    result.store = family_seconds(store_);
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  result.clients = seconds(children.ru_utime) + seconds(children.ru_stime);
  auto disk = disk_.empty() ? std::vector<double>{} : numbers_of(disk_, false);
  if (disk.size() > flushes_at) {
    result.disk_ms = disk[disk_busy_at];
    result.flushes = disk[flushes_at];
  }
  return result;
}

machine_use machine_meter::used() const {
  auto now = read();
  auto time = std::chrono::duration<double>(now.time - before_.time).count();
  machine_use result;
  result.seconds = time;
  result.cores = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  auto of_all = time * result.cores;
  if (auto ticks = now.all - before_.all; ticks > 0)
    result.busy = 1 - (now.idle - before_.idle) / ticks;
  result.nodes = (now.nodes - before_.nodes) / of_all;
  result.clients = (now.clients - before_.clients) / of_all;
  // A child that ended took its time with it.
  result.store = std::max(now.store - before_.store, 0.0) / of_all;
  if (!disk_.empty())
    result.disk = disk_use{(now.disk_ms - before_.disk_ms) / 1e3 / time,
                           (now.flushes - before_.flushes) / time};
  return result;
}

} // namespace troupe::bench
