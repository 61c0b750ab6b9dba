// A plugin for the isolation figures: an exposed actor that dies at every
// message.

#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>

#include "actors/core/plugin.hpp"

namespace {

caf::behavior die_at_once() {
  return {[](int64_t) -> int64_t { throw std::runtime_error{"dies"}; }};
}

troupe::module dying() {
  troupe::module m;
  m.expose(
    "dying", [](caf::actor_system& sys) { return sys.spawn(die_at_once); },
    troupe::signature<int64_t(int64_t)>{});
  return m;
}

} // namespace

TROUPE_PLUGIN(dying)
