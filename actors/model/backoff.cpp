#include "actors/model/backoff.hpp"

#include <cassert>

namespace troupe {

std::optional<std::string> backoff_options::validate() const {
  if (base.count() < 0)
    return "the base of a backoff must not be negative";
  if (cap < base)
    return "the cap of a backoff must not be below its base";
  return std::nullopt;
}

backoff::backoff(backoff_options options) : options_{options} {
  assert(!options_.validate());
}

std::chrono::nanoseconds backoff::ceiling(uint32_t attempt) const {
  if (options_.base.count() == 0)
    return options_.base;
  // cap >> attempt is below base exactly when base << attempt is above cap
  if (attempt >= 63
      || (options_.cap.count() >> attempt) < options_.base.count())
    return options_.cap;
  return options_.base * (int64_t{1} << attempt);
}

std::chrono::nanoseconds backoff::delay(uint32_t attempt,
                                        std::mt19937_64& random) const {
  std::uniform_int_distribution<int64_t> range{0, ceiling(attempt).count()};
  return std::chrono::nanoseconds{range(random)};
}

} // namespace troupe
