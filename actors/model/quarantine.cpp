#include "actors/model/quarantine.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

std::optional<std::string> quarantine_options::validate() const {
  if (period.count() <= 0)
    return "the period of a quarantine must be positive";
  if (cool_down.count() <= 0)
    return "the cool-down of a quarantine must be positive";
  if (cool_down_max < cool_down)
    return "the longest cool-down must not be below the first";
  if (probe_limit.count() <= 0)
    return "the limit of a probe must be positive";
  return std::nullopt;
}

quarantine::quarantine(quarantine_options options)
  : options_{options}, crashes_{options.intensity, options.period} {
  assert(!options_.validate());
}

quarantine::verdict quarantine::admit(time_point now) {
  if (state_ == state::closed)
    return verdict::admit;
  if (now < until_)
    return verdict::refuse;
  // due: the first probe, or one in place of a probe that was lost
  state_ = state::probing;
  until_ = now + options_.probe_limit;
  return verdict::probe;
}

void quarantine::record_crash(time_point now) {
  switch (state_) {
  case state::closed:
    if (!crashes_.record(now))
      close_door(now);
    break;
  case state::probing:
    lengthen(now);
    break;
  case state::quarantined:
    break;
  }
}

void quarantine::record_success(time_point now) {
  if (state_ != state::probing)
    return;
  state_ = state::closed;
  reopened_ = now;
  crashes_.clear();
}

void quarantine::record_inconclusive(time_point now) {
  if (state_ != state::probing)
    return;
  state_ = state::quarantined;
  until_ = now;
}

quarantine::duration quarantine::retry_after(time_point now) const {
  if (state_ == state::closed)
    return duration::zero();
  return std::max(until_ - now, duration::zero());
}

void quarantine::close_door(time_point now) {
  // What passes its probe and falls over under load again must not start from
  // the shortest cool-down each time: it has to hold for as long as it was out.
  if (cool_down_ == duration::zero() || now - reopened_ >= cool_down_) {
    cool_down_ = options_.cool_down;
    state_ = state::quarantined;
    until_ = now + cool_down_;
  } else {
    lengthen(now);
  }
}

void quarantine::lengthen(time_point now) {
  assert(cool_down_ > duration::zero());
  cool_down_ = cool_down_ > options_.cool_down_max / 2 ? options_.cool_down_max
                                                       : cool_down_ * 2;
  state_ = state::quarantined;
  until_ = now + cool_down_;
}

const char* to_string(quarantine::state x) {
  switch (x) {
  case quarantine::state::closed:
    return "up";
  case quarantine::state::quarantined:
    return "quarantined";
  case quarantine::state::probing:
    return "probing";
  }
  return "";
}

} // namespace troupe
