#include "actors/model/work_lanes.hpp"

#include <algorithm>
#include <iterator>

namespace troupe {

uint32_t work_lanes::room_of(const lane& x) const noexcept {
  auto own = options_.lane_max - std::min(options_.lane_max, x.busy());
  auto all = options_.node_max - std::min(options_.node_max, busy_);
  return std::min(own, all);
}

/// A fetch is a write: for a place or two it is not worth it, unless nothing
/// runs.
bool work_lanes::may_fetch(const lane& x) const noexcept {
  auto room = room_of(x);
  return x.fetching == 0 && room > 0
         && (x.running == 0 || room >= options_.lane_max / 4
             || room >= options_.node_max / 4);
}

std::optional<work_lanes::time_point> work_lanes::next_due() const {
  std::optional<time_point> result;
  for (auto& [name, x] : lanes_)
    if (x.due && may_fetch(x) && (!result || *x.due < *result))
      result = x.due;
  return result;
}

bool work_lanes::begin(const std::string& name, time_point now) {
  auto& x = lanes_[name];
  if ((x.due && *x.due <= now) || x.fetching > 0 || room_of(x) == 0) {
    forget_if_idle(lanes_.find(name));
    return false;
  }
  ++x.running;
  ++busy_;
  return true;
}

void work_lanes::waits(const std::string& name, time_point due) {
  auto& x = lanes_[name];
  x.due = x.due ? std::min(*x.due, due) : due;
}

void work_lanes::ended(const std::string& name) {
  auto i = lanes_.find(name);
  if (i == lanes_.end() || i->second.running == 0)
    return;
  --i->second.running;
  --busy_;
  forget_if_idle(i);
}

void work_lanes::looked(
  const std::vector<std::pair<std::string, time_point>>& waiting) {
  for (auto& [name, x] : lanes_)
    x.due.reset();
  for (auto& [name, due] : waiting)
    lanes_[name].due = due;
  for (auto i = lanes_.begin(); i != lanes_.end();)
    forget_if_idle(i++);
}

std::vector<work_lanes::room> work_lanes::fetch(time_point now) {
  std::vector<room> result;
  auto first = lanes_.lower_bound(turn_);
  auto look = [&](auto& entry) {
    auto& [name, x] = entry;
    if (!x.due || *x.due > now || !may_fetch(x))
      return;
    x.fetching = room_of(x);
    busy_ += x.fetching;
    result.push_back({name, x.fetching});
  };
  std::for_each(first, lanes_.end(), look);
  std::for_each(lanes_.begin(), first, look);
  if (!result.empty())
    turn_ = result.front().lane + '\0';
  return result;
}

void work_lanes::fetched(const room& asked, uint32_t got) {
  auto i = lanes_.find(asked.lane);
  if (i == lanes_.end())
    return;
  auto& x = i->second;
  busy_ -= x.fetching;
  x.fetching = 0;
  x.running += got;
  busy_ += got;
  if (got < asked.most)
    x.due.reset();
  forget_if_idle(i);
}

void work_lanes::forget_if_idle(lanes::iterator i) {
  if (i->second.busy() == 0 && !i->second.due)
    lanes_.erase(i);
}

} // namespace troupe
