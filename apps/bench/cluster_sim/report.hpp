// What was simulated, for people and for programs.

#pragma once

#include <string>
#include <vector>

#include "apps/bench/cluster_sim/scenario.hpp"
#include "apps/bench/cluster_sim/store_cost.hpp"

namespace troupe::bench {

struct sim_report {
  uint32_t shards = 0;
  uint64_t seed = 0;
  std::vector<cluster_figures> clusters;

  /// Of each number of nodes; empty if it was not measured.
  std::vector<store_cost> store;
};

/// Tables with aligned columns.
std::string to_text(const sim_report& x);

/// The same; what was measured on this machine is in members of the name
/// "measured", and all else is the same for the same seed.
std::string to_json(const sim_report& x);

/// What `to_json` has written: to print or to plot it without another run.
/// @throws std::invalid_argument if it is something else
sim_report report_from_json(const std::string& text);

} // namespace troupe::bench
