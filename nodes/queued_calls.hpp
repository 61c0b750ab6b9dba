// Durable calls from C++: queued now, done later.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "actors/core/expected.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

class dispatcher;

/// How a durable call is queued.
struct async_options {
  /// A repeat with the same key is the same call; empty: none. 1 to 255 bytes of
  /// visible ASCII.
  std::string idempotency_key = {};

  /// It does not begin before; 366 days at most.
  std::chrono::milliseconds delay{0};

  /// 0 to 9; higher ones come first.
  uint8_t priority = work_priority_default;
};

/// A durable call: what `/invocations/{id}` shows.
struct queued_call {
  invocation_id id;
};

/// Queues a call and waits until it is on disk. `not_implemented` without a
/// queue; see `dispatcher::accept`.
/// @param to null: there is no queue
expected<queued_call> queue_call(dispatcher* to, work_target target,
                                 payload arguments,
                                 const async_options& options);

/// What became of it; `not_found` if it is not known, or not any more.
expected<work_view> find_queued(dispatcher& in, const invocation_id& id);

} // namespace troupe
