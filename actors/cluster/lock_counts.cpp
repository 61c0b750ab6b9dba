#include "actors/cluster/lock_counts.hpp"

#include <algorithm>
#include <bit>

namespace troupe {

void lock_counts::granted(const lock_proof& x, time_point now,
                          std::chrono::milliseconds ttl,
                          std::chrono::nanoseconds waited) {
  auto ns = static_cast<uint64_t>(std::max<int64_t>(waited.count(), 0));
  auto bucket = static_cast<size_t>(std::bit_width(ns / 1000));
  std::lock_guard guard{mutex_};
  if (++stats_.grants % tidy_interval == 0)
    forget_late(now);
  stats_.waited_ns += ns;
  ++stats_.waited[std::min(bucket, call_stats::buckets - 1)];
  if (held_.size() < held_max)
    held_[x] = now + ttl;
}

void lock_counts::waits() {
  std::lock_guard guard{mutex_};
  ++stats_.waits;
}

void lock_counts::timed_out(size_t count) {
  std::lock_guard guard{mutex_};
  stats_.timeouts += count;
}

void lock_counts::renewed(const lock_proof& x, time_point until) {
  std::lock_guard guard{mutex_};
  if (auto i = held_.find(x); i != held_.end())
    i->second = until;
}

void lock_counts::renewal_refused(const lock_proof& x) {
  std::lock_guard guard{mutex_};
  ++stats_.renewals_refused;
  held_.erase(x);
}

void lock_counts::released(const lock_proof& x) {
  std::lock_guard guard{mutex_};
  held_.erase(x);
}

lock_stats lock_counts::read(time_point now) {
  std::lock_guard guard{mutex_};
  forget_late(now);
  auto result = stats_;
  result.held = held_.size();
  return result;
}

void lock_counts::forget_late(time_point now) {
  std::erase_if(held_, [now](auto& x) { return x.second <= now; });
}

} // namespace troupe
