// What `troupe tree` shows: every live actor that has a name, as its keeper
// sees it. CAF cannot tell who is alive, so each supervisor, pool and host
// answers `describe_atom` for itself and for those it keeps.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/core/atoms.hpp"

namespace troupe {

/// One live actor and those that it keeps.
struct tree_node {
  /// What it is: "supervisor", "pool", "instance", "host", "activation", ...
  std::string kind;

  /// Its name among its siblings.
  std::string name;

  /// How it is: "up", "starting", "waiting" (for a restart), "quarantined",
  /// "probing", "stopping", "down" (stopped, its specification kept), "silent"
  /// (it did not answer in time).
  std::string state = "up";

  /// How often it was restarted since its keeper started.
  uint32_t restarts = 0;

  /// Why it ended last; empty if it never did.
  std::string last_reason;

  /// Calls that wait in front of it.
  uint32_t queue = 0;

  /// The handler it is in now; empty when idle.
  std::string handler;

  /// For how long it is in that handler, in microseconds.
  int64_t running_us = 0;

  std::vector<tree_node> children;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, tree_node& x) {
  return f(x.kind, x.name, x.state, x.restarts, x.last_reason, x.queue,
           x.handler, x.running_us, x.children);
}

} // namespace troupe
