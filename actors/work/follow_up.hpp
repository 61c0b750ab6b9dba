// What comes after a piece of work: calls of its destinations, which are accepted
// in the same transaction as its end.

#pragma once

#include <vector>

#include "actors/core/errors.hpp"
#include "actors/core/work_destination.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// The id of the call of the destination with that number, from 0, after work that
/// ended so: whoever knows the work can find it, and nothing of it is kept. It has
/// the time of the work.
invocation_id follow_up_id(const invocation_id& source, work_end how,
                           size_t number);

/// Calls of `to` with `arguments`, after `source`, which ended so at `now`. They
/// have its routing key, its trace and its priority, and are one step further
/// than it. Times and limits are not set.
std::vector<work_request> follow_up(const work_item& source, work_end how,
                                    const std::vector<work_destination>& to,
                                    const payload& arguments, work_time now);

/// How many steps lie before `x` in its pipeline.
uint32_t steps_before(const work_item& x);

/// What those are told that follow a failure: `{id, target, attempts, error,
/// arguments}`, or `argumentsBase64` if they are not JSON.
payload failure_notice(const work_item& source, uint32_t attempts,
                       const payload& arguments, const error& reason);

} // namespace troupe
