#include "nodes/store/lock_clock.hpp"

#include <ctime>
#include <fstream>

namespace troupe {

namespace {

std::chrono::milliseconds read(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::milliseconds{now.tv_sec * 1000 + now.tv_nsec / 1'000'000};
}

/// Where it cannot be read every start is the same one: then only the time since
/// it is left to go by.
std::string read_boot_id() {
  std::string result;
  std::getline(std::ifstream{"/proc/sys/kernel/random/boot_id"}, result);
  return result;
}

} // namespace

lock_time read_lock_clock() {
  static const auto boot = read_boot_id();
  return {boot, read(CLOCK_BOOTTIME), read(CLOCK_REALTIME)};
}

} // namespace troupe
