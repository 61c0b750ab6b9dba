#include "actors/model/own_lease.hpp"

#include <algorithm>

namespace troupe {

void own_lease::renewed(boot_time sent) noexcept {
  auto until = (sent + length_).time_since_epoch().count();
  // Answers may overtake each other.
  until_ns_.store(std::max(until, until_ns_.load(std::memory_order_relaxed)),
                  std::memory_order_release);
}

void own_lease::end() noexcept {
  until_ns_.store(0, std::memory_order_release);
}

} // namespace troupe
