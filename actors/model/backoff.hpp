// How long to wait before the next try. Exponential, so that a fault that lasts
// is not hammered; with full jitter, so that many who failed together do not
// come back together.
//
// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture
// Blog, 2015: sleep = random_between(0, min(cap, base * 2 ** attempt)).

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace troupe {

struct backoff_options {
  /// Upper bound of the first delay. Zero: never wait. Raise it when what is
  /// retried depends on something that takes a while to come back.
  std::chrono::nanoseconds base{0};

  /// Upper bound of every delay.
  std::chrono::nanoseconds cap = std::chrono::seconds{30};

  /// What is wrong with these options, if anything.
  [[nodiscard]] std::optional<std::string> validate() const;
};

/// Computes delays; has no memory of attempts and no generator of its own, so
/// that the same seed gives the same delays.
class backoff {
public:
  /// @pre `!options.validate()`
  explicit backoff(backoff_options options);

  /// The longest delay before try number `attempt` (from 0):
  /// min(cap, base * 2 ** attempt), without overflow.
  [[nodiscard]] std::chrono::nanoseconds ceiling(uint32_t attempt) const;

  /// A delay drawn evenly from 0 to `ceiling(attempt)`, both included.
  [[nodiscard]] std::chrono::nanoseconds delay(uint32_t attempt,
                                               std::mt19937_64& random) const;

private:
  backoff_options options_;
};

} // namespace troupe
