// Ids of work rise with time, so that new rows come at the end of an index and
// old ones are found at its start: UUIDs of version 7 (RFC 9562, 5.7), written
// as other invocations' are.

#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <string_view>

#include "actors/core/invocation.hpp"

namespace troupe {

/// Makes ids, each higher than the one before it, unless the clock is set back
/// by more than a second: a store that knows of nothing higher need not look for
/// an id. Not thread-safe: each thread has its own.
class work_ids {
public:
  /// Seeded from the system.
  work_ids();

  /// @param seed for tests
  explicit work_ids(uint64_t seed) : random_(seed) {}

  /// 48 bits of `now`, in milliseconds since 1970, and 74 random ones; 32 more
  /// for each further one of a millisecond.
  invocation_id next(std::chrono::sys_time<std::chrono::milliseconds> now);

private:
  std::mt19937_64 random_;
  std::chrono::sys_time<std::chrono::milliseconds> last_time_{};
  invocation_id last_;
};

/// Reads 32 hexadecimal digits, of either case, with or without the hyphens of
/// a UUID; nothing if it is something else.
std::optional<invocation_id>
parse_invocation_id(std::string_view text) noexcept;

} // namespace troupe
