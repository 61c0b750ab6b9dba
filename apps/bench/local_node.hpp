// The actors of a node in this process, with the examples plugin installed:
// what the in-process figures call. Deadlines, metering and supervision are on,
// for there is no way to have the actors without.

#pragma once

#include <caf/actor_system.hpp>

#include "nodes/assembly.hpp"
#include "nodes/function_handle.hpp"

namespace troupe::bench {

using add_handle = function_handle<int64_t(int64_t, int64_t)>;

class local_node {
public:
  /// @throws cannot_measure if the plugin cannot be loaded
  local_node();

  local_node(assembly_options options, std::unique_ptr<state_store> store);

  add_handle add() { return {assembly_.port(), "add"}; }

  call_port port() { return assembly_.port(); }

  /// Of the service `counter`.
  uint32_t activations() const;

  /// Baselines run in the same system: same threads, same throughput.
  caf::actor_system& system() noexcept { return assembly_.system(); }

private:
  assembly assembly_;
};

} // namespace troupe::bench
