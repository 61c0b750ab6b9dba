// One process that serves: what `troupe node` runs once its options are read.

#pragma once

#include "nodes/options.hpp"

namespace troupe {

/// Runs a node until it is told to stop.
/// @returns the exit status: 0 after a clean shutdown, 1 if it could not start
int run_node(node_options options);

} // namespace troupe
