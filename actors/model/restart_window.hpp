// How many restarts are too many: OTP's restart intensity. A fault that a
// restart cures is worth restarting for; one that comes back at once is not,
// and somebody above has to decide. This window tells the two apart.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace troupe {

/// A sliding window over the time points of restarts. Keeps at most
/// `intensity + 1` of them. Never reads a clock.
class restart_window {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  /// Allows `intensity` restarts within any `period`.
  /// @pre `period > 0`
  restart_window(uint32_t intensity, duration period);

  /// Notes a restart at `now`. Answers whether it is still allowed; the first
  /// that is not leaves more than `intensity` restarts in the window. A restart
  /// that is exactly one period old still counts.
  /// @pre `now` never runs backwards
  [[nodiscard]] bool record(time_point now);

  /// How many noted restarts the window holds at `now`.
  [[nodiscard]] size_t count(time_point now) const;

  /// Forgets all restarts.
  void clear();

private:
  uint32_t intensity_;
  duration period_;
  std::deque<time_point> restarts_;
};

} // namespace troupe
