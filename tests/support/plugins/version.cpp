// Two builds of this answer 1 and 2.

#include <chrono>

#include <caf/actor_system.hpp>
#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>

#include "actors/core/plugin.hpp"

namespace {

/// Keeps its state whichever build runs it.
struct tally {
  int value = 0;

  int add(int by) { return value += by; }

  int version() const { return TROUPE_TEST_VERSION; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(tally, value)
};

troupe::task<int> slow_version(troupe::context& ctx, uint32_t ms) {
  co_await ctx.sleep(std::chrono::milliseconds{ms});
  co_return TROUPE_TEST_VERSION;
}

troupe::module versioned() {
  troupe::module m;
  m.function("version", [] { return TROUPE_TEST_VERSION; });
  m.function("slow_version", slow_version);
  m.service<tally>("tally")
    .method("add", &tally::add)
    .method("version", &tally::version);
  m.expose(
    "versioned_actor",
    [](caf::actor_system& sys) {
      return caf::actor{sys.spawn(
        [](caf::event_based_actor*, int) {
          return caf::behavior{
            [](int x) { return 10 * x + TROUPE_TEST_VERSION; }};
        },
        0)};
    },
    troupe::signature<int(int)>{});
  return m;
}

} // namespace

TROUPE_PLUGIN(versioned)
