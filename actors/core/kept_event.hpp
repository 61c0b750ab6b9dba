// The event that work for somebody outside tells of: its attributes are among the
// notes of the work, its data is the work's arguments.

#pragma once

#include "actors/core/cloud_event.hpp"
#include "actors/core/event_sender.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// Keeps the attributes of an event with the work, so that they are the same
/// however often it is sent: who gets it twice knows it by its source and id.
/// @pre the event is valid
void keep_event(work_item& in, cloud_event attributes);

/// What somebody outside is told; `bad_request` if no event was kept.
expected<outgoing_event> event_of(const work_item& x, payload data);

} // namespace troupe
