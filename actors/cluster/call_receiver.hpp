// Runs the calls that peers send. Links hand them over on the thread that moves
// bytes and heartbeats, where no handler may run: so they go to actors, several
// calls with one message.

#pragma once

#include <atomic>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/call_placement.hpp"
#include "actors/core/interfaces.hpp"

namespace troupe {

struct call_receiver_options {
  /// So many actors take calls; each runs short handlers itself.
  uint32_t actors = 2;

  /// Calls that go to one of them together. More wait for each other longer,
  /// fewer cost more.
  uint32_t together = 16;

  /// This node's id, for errors.
  std::string node;
};

/// What a `link_listener` passes `received` on to. Thread-safe.
class call_receiver {
public:
  /// @param admission outlives it
  call_receiver(caf::actor_system& sys, const call_environment& env,
                call_admission& admission, call_receiver_options options = {});

  call_receiver(const call_receiver&) = delete;

  /// Calls that come from now on are answered `shutting_down`.
  ~call_receiver();

  void received(std::vector<incoming_call_ptr> calls) noexcept;

private:
  const uint32_t together_;
  std::atomic<uint32_t> next_{0};
  std::vector<caf::actor> actors_;
};

} // namespace troupe
