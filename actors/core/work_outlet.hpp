// Where the work goes that entities send with their commits: whoever does work on
// this node makes it complete before the commit, and is told after it.

#pragma once

#include <string>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// Thread-safe; never blocks.
class work_outlet {
public:
  virtual ~work_outlet() = default;

  virtual work_time now() const = 0;

  /// Gives `x` an id and says when it was accepted, and how often and until when
  /// it is tried.
  virtual void complete(work_request& x) = 0;

  /// Work of `lane` that is due at `due` was accepted with a commit: it is
  /// durable, and waits.
  virtual void waits(const std::string& lane, work_time due) = 0;
};

} // namespace troupe
