// `troupe node`: options in, a running node out.

#pragma once

#include <string>
#include <vector>

namespace troupe::cli {

/// Reads the options and runs a node. @returns the exit status
/// @param program how this one was started
int run_node_command(const std::string& program,
                     const std::vector<std::string>& arguments);

} // namespace troupe::cli
