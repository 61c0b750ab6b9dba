// Gives the deadline keeper its time: an actor, so that time is virtual in
// tests. It sleeps while no call waits.

#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/core/deadline_keeper.hpp"

namespace troupe {

/// Spawns the ticker of `keeper` and connects the two. It must end before the
/// keeper does.
caf::actor spawn_deadline_ticker(caf::actor_system& sys,
                                 deadline_keeper& keeper);

} // namespace troupe
