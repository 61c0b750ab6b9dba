// What `invoke` and `call` have in common.

#pragma once

#include <chrono>
#include <string>

#include "apps/troupe/client/command_line.hpp"
#include "apps/troupe/client/http_client.hpp"

namespace troupe::cli {

/// Adds -d and --timeout.
void add_call_options(command_line& line);

/// The value of --timeout.
/// @throws usage_error
std::chrono::milliseconds parse_timeout(const std::string& text);

/// A POST to `target` with the body and the deadline of the command line. The
/// client waits a little longer than the deadline, for the node's word on what
/// became of the call.
/// @throws usage_error
http_request make_call(const command_line& line, std::string target);

} // namespace troupe::cli
