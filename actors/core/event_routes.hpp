// Where events go: what handlers need to know of the rules of a node.

#pragma once

#include <vector>

#include "actors/core/cloud_event.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// Thread-safe.
class event_routes {
public:
  virtual ~event_routes() = default;

  /// The calls that an event comes to, which may be none; ids and times are not
  /// set. `bad_request` if it is not valid, or a rule finds no key in it.
  virtual expected<std::vector<work_request>>
  calls_of(const cloud_event& x) = 0;
};

} // namespace troupe
