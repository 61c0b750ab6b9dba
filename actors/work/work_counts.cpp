#include "actors/work/work_counts.hpp"

#include <algorithm>
#include <bit>

namespace troupe {

void work_counts::count_wait(std::chrono::milliseconds wait) noexcept {
  auto ms = static_cast<uint64_t>(std::max<int64_t>(wait.count(), 0));
  auto bucket = static_cast<size_t>(std::bit_width(ms * 1000));
  waited[std::min(bucket, buckets - 1)].fetch_add(1, std::memory_order_relaxed);
  waited_ms.fetch_add(ms, std::memory_order_relaxed);
}

} // namespace troupe
