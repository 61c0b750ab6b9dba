#include "nodes/simulation/virtual_time.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace troupe::testing {

void virtual_time::after(duration d, std::function<void()> f) {
  events_.push({now_ + d, ++events_made_, std::move(f)});
}

std::optional<virtual_time::duration> virtual_time::next() const {
  if (events_.empty())
    return std::nullopt;
  return events_.top().when;
}

void virtual_time::go_to(duration when) {
  assert(events_.empty() || when <= events_.top().when);
  now_ = std::max(now_, when);
}

bool virtual_time::run_due() {
  if (events_.empty() || events_.top().when > now_)
    return false;
  auto what = events_.top().what;
  events_.pop();
  what();
  return true;
}

} // namespace troupe::testing
