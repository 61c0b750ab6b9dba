// A plugin for the isolation figures: an exposed actor that dies at every
// message.

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>

#include "actors/core/plugin.hpp"

namespace {

caf::behavior die_at_once(caf::event_based_actor* self) {
  return {[=](int64_t x) {
    self->quit(caf::exit_reason::unhandled_exception);
    return x;
  }};
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
