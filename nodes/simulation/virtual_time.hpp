// The time of a simulation, and what is to happen in it. One thread; what
// happens at the same moment happens in the order in which it was asked for, so
// that a run can be had again.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

namespace troupe::testing {

class virtual_time {
public:
  using duration = std::chrono::nanoseconds;

  /// Since the beginning.
  duration now() const noexcept { return now_; }

  /// Calls `f` after `d`.
  void after(duration d, std::function<void()> f);

  /// When the next event is due; nothing if there is none.
  std::optional<duration> next() const;

  /// Lets time go by up to `when`, at least to now. No event is due before it.
  void go_to(duration when);

  /// Does the next event if it is due now; false if none is.
  bool run_due();

  /// Forgets all events.
  void clear() { events_ = {}; }

private:
  struct event {
    duration when;
    uint64_t number;
    std::function<void()> what;

    friend bool operator<(const event& x, const event& y) {
      return std::tie(x.when, x.number) > std::tie(y.when, y.number);
    }
  };

  duration now_{0};
  uint64_t events_made_ = 0;
  std::priority_queue<event> events_;
};

} // namespace troupe::testing
