// Calls that are queued, for `invoke` and `call`.

#pragma once

#include "apps/troupe/client/command_line.hpp"
#include "apps/troupe/client/http_client.hpp"

namespace troupe::cli {

/// Adds --async, --delay and --priority.
void add_queue_options(command_line& line);

/// Makes `request` one that is queued, if --async says so, and gives it its
/// --idempotency-key. @returns whether it is queued
/// @throws usage_error
bool queue_call(const command_line& line, http_request& request);

/// Sends a queued call and prints its id.
void send_queued(const endpoint& node, const http_request& request);

} // namespace troupe::cli
