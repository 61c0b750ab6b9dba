#include "actors/function/slot.hpp"

#include <algorithm>
#include <bit>

#include "actors/core/defaults.hpp"

namespace troupe {

void slot::count(int64_t ns) noexcept {
  auto duration = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
  auto bucket = static_cast<size_t>(std::bit_width(duration / 1000));
  calls.add(1);
  busy_ns.add(duration);
  durations[std::min(bucket, call_stats::buckets - 1)].add(1);
}

} // namespace troupe
