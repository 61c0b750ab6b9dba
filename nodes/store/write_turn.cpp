#include "nodes/store/write_turn.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "actors/core/errors.hpp"

namespace troupe {

namespace {

using clock = std::chrono::steady_clock;

/// Between two looks: a transaction takes about a millisecond.
constexpr std::chrono::microseconds first_pause{50};
constexpr std::chrono::microseconds longest_pause{2000};

int open_lock(const std::filesystem::path& file) {
  auto result = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (result < 0)
    throw error_exception{error{
      errc::store_unavailable,
      "'" + file.string() + "' cannot be opened: " + std::strerror(errno)}};
  return result;
}

/// A lock that is waited for without a bound could not be given up.
bool lock_until(int file, clock::time_point end) noexcept {
  auto pause = first_pause;
  while (flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (clock::now() >= end)
      return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, longest_pause);
  }
  return true;
}

} // namespace

write_turn::write_turn(const std::filesystem::path& folder)
  : next_(open_lock(folder / "write.next")) {
  try {
    now_ = open_lock(folder / "write.now");
  } catch (...) {
    close(next_);
    throw;
  }
}

write_turn::~write_turn() {
  close(next_);
  close(now_);
}

bool write_turn::take(std::chrono::milliseconds longest) noexcept {
  auto end = clock::now() + longest;
  if (!lock_until(next_, end))
    return false;
  auto is_taken = lock_until(now_, end);
  flock(next_, LOCK_UN);
  return is_taken;
}

void write_turn::pass_on() noexcept {
  flock(now_, LOCK_UN);
}

} // namespace troupe
