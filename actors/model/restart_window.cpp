#include "actors/model/restart_window.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

restart_window::restart_window(uint32_t intensity, duration period)
  : intensity_{intensity}, period_{period} {
  assert(period_ > duration::zero());
}

bool restart_window::record(time_point now) {
  assert(restarts_.empty() || restarts_.back() <= now);
  while (!restarts_.empty() && restarts_.front() < now - period_)
    restarts_.pop_front();
  restarts_.push_back(now);
  if (restarts_.size() <= intensity_)
    return true;
  // Invariant: at most intensity + 1 entries, so that a caller who goes on
  // after an overflow costs no memory.
  if (restarts_.size() > size_t{intensity_} + 1)
    restarts_.pop_front();
  return false;
}

size_t restart_window::count(time_point now) const {
  return static_cast<size_t>(
    std::count_if(restarts_.begin(), restarts_.end(),
                  [&](time_point x) { return x >= now - period_; }));
}

void restart_window::clear() {
  restarts_.clear();
}

} // namespace troupe
