// `troupe certs`: the certificates that the nodes of a cluster show each other.

#pragma once

#include <string>
#include <vector>

namespace troupe::cli {

/// Makes a CA and certificates of nodes. @returns the exit status
int run_certs_command(const std::vector<std::string>& arguments);

} // namespace troupe::cli
