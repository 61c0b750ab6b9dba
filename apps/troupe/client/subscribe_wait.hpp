// What was declared is there on every node within seconds, not at once: a message
// that is published before the broker knows of the subscription is not for it. So
// whoever declares one waits until a node has the broker.

#pragma once

#include <chrono>
#include <string>

#include "apps/troupe/client/command_line.hpp"

namespace troupe::cli {

struct subscription_state {
  /// As a node has it: "connected", "connecting", "standby", "starting".
  std::string state = "starting";

  /// Why it is not connected; may be empty.
  std::string error{};
};

/// Looks at the nodes of the cluster until one of them is connected, for `time`
/// at most, and says what was seen last. @pre `name` is declared
subscription_state wait_until_connected(const command_line& line,
                                        const std::string& name,
                                        std::chrono::milliseconds time);

/// "meters: connected", or how it is and what becomes of it.
std::string describe(const std::string& name, const subscription_state& x);

} // namespace troupe::cli
