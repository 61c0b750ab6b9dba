// How much of a node one function may take.

#pragma once

#include <chrono>
#include <cstdint>

#include "actors/core/defaults.hpp"

namespace troupe {

/// Bounds of one function version on one node.
struct function_limits {
  /// Calls that run at once, waiting coroutines included.
  uint32_t concurrency = defaults::function::concurrency;

  /// Calls that wait for a free instance; past it: too_many_requests.
  uint32_t queue = defaults::function::queue;

  /// The longest deadline that a call gets, and the one it gets unasked.
  std::chrono::milliseconds timeout = defaults::function::timeout;

  /// The handler may block: each instance has a thread of its own.
  bool blocking = false;

  friend bool operator==(const function_limits&,
                         const function_limits&) = default;
};

} // namespace troupe
