// What whoever asks for a lock says, and gets.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "actors/core/defaults.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/lock_proof.hpp"

namespace troupe {

/// How a lock is asked for.
struct lock_options {
  /// After so long it may be granted to somebody else, unless it was renewed;
  /// from 1 ms to 900 s.
  std::chrono::milliseconds ttl = defaults::lock::ttl;

  /// How long to wait for it while somebody else has it; 900 s at most.
  std::chrono::milliseconds wait{0};

  /// `bad_request` if these make no sense.
  expected<void> validate() const;
};

/// A lock that was granted, or renewed.
struct lock_grant {
  lock_proof proof;

  /// Until then nobody else gets it, if the clocks go right. Counted from before
  /// the store was asked: rather early than late.
  std::chrono::system_clock::time_point expires;
};

/// A lock as it is, for people.
struct lock_info {
  std::string name;

  /// Of the last grant.
  uint64_t token = 0;

  /// Set while somebody has it.
  std::optional<std::chrono::system_clock::time_point> expires;
};

} // namespace troupe
