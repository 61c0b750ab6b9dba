// Queued work as people and programs read it: the body of /invocations/{id}.

#pragma once

#include <string>
#include <string_view>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// "queued", "running", "succeeded", "failed", "dead_lettered".
std::string_view to_string(work_state x) noexcept;

/// `{id, target, state, priority, attempts, createdAt}`, and as far as they are
/// known `dueAt`, `claimedBy`, `finishedAt`, and `result`, `resultBase64` with
/// `contentType`, or `error`: the last one, also of work that is to be tried
/// again. A result that is JSON is there as it is, not parsed and written anew.
std::string to_json(const work_view& x);

/// The call itself: `{id, target, priority, maxAttempts, createdAt,
/// expiresAt}`, `arguments`, or `argumentsBase64`, with `contentType`, and as far
/// as there are any `routingKey`, `trace` and `origin`: who it comes from, which is
/// of `schedule`, `subscription` with `topic`, the `attempts` that were made
/// before and the broker's `deliveries` (if there were several), `follows` (the id
/// of the call whose end it follows), `group` and `number`, `followsGroup`, `rule`
/// with `eventSource` and `eventId`, `event` (the attributes of a CloudEvent that
/// is sent out), `reminder`.
std::string to_json(const work_item& x);

} // namespace troupe
