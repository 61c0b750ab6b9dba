// `troupe store`: looks after the data of a node.

#pragma once

#include <string>
#include <vector>

namespace troupe::cli {

/// Checks, backs up or restores a store. @returns the exit status
int run_store_command(const std::vector<std::string>& arguments);

} // namespace troupe::cli
