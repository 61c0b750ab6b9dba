#include "actors/routing/deadline_ticker.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"

namespace troupe {

namespace {

class deadline_ticker final : public caf::event_based_actor {
public:
  deadline_ticker(caf::actor_config& cfg, deadline_keeper& keeper)
    : caf::event_based_actor(cfg), keeper_(keeper) {}

  const char* name() const override { return "deadline-ticker"; }

  caf::behavior make_behavior() override {
    return {
      [this](atom::tick) {
        auto now = home_system().clock().now();
        if (keeper_.expire(now, context()))
          delayed_send(this, keeper_.until_next_tick(now), atom::tick::value);
      },
    };
  }

private:
  deadline_keeper& keeper_;
};

} // namespace

caf::actor spawn_deadline_ticker(caf::actor_system& sys,
                                 deadline_keeper& keeper) {
  auto ticker = sys.spawn<deadline_ticker, caf::lazy_init>(std::ref(keeper));
  keeper.on_armed([ticker] { caf::anon_send(ticker, atom::tick::value); });
  return ticker;
}

} // namespace troupe
