#include "actors/model/lock_record.hpp"

#include <algorithm>

namespace troupe {

using std::chrono::milliseconds;

milliseconds lock_record::left(const lock_time& now) const noexcept {
  if (holder.empty())
    return milliseconds{0};
  auto result = end.boot == now.boot ? end.since_boot - now.since_boot
                                     : end.wall - now.wall;
  return std::clamp(result, milliseconds{0}, ttl);
}

bool lock_record::acquire(const std::string& who, milliseconds time,
                          const lock_time& now) {
  if (holder == who) {
    begin(time, now);
    return true;
  }
  if (auto rest = left(now); rest.count() > 0) {
    // Counted by a clock from now on that nobody can set.
    if (end.boot != now.boot)
      end = {now.boot, now.since_boot + rest, now.wall + rest};
    return false;
  }
  ++token;
  holder = who;
  begin(time, now);
  return true;
}

bool lock_record::renew(uint64_t of, std::optional<milliseconds> time,
                        const lock_time& now) {
  if (!proves(of) || !held(now))
    return false;
  begin(time.value_or(ttl), now);
  return true;
}

bool lock_record::release(uint64_t of) noexcept {
  if (of != token || token == 0)
    return false;
  holder.clear();
  return true;
}

void lock_record::begin(milliseconds time, const lock_time& now) {
  ttl = time;
  end = {now.boot, now.since_boot + time, now.wall + time};
}

} // namespace troupe
