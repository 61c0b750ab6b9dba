#include "nodes/link/options.hpp"

namespace troupe::link {

std::optional<std::string> link_options::validate() const {
  using namespace std::chrono_literals;
  if (self.node.empty() || self.incarnation.empty())
    return "a node needs an id and an incarnation";
  if (heartbeat_interval < 10ms)
    return "the heartbeat interval must be 10 ms or more";
  if (heartbeat_timeout < 2 * heartbeat_interval)
    return "the heartbeat timeout must be two intervals or more";
  if (connect_timeout < 10ms)
    return "the connect timeout must be 10 ms or more";
  if (in_flight_max == 0 || bytes_in_flight_max == 0)
    return "some calls must be allowed to be in flight";
  if (bulk_threshold == 0 || bulk_threshold > wire::frame_length_max / 2)
    return "the bulk threshold must be between 1 and "
           + std::to_string(wire::frame_length_max / 2) + " bytes";
  if (chunk_size == 0 || chunk_size > wire::frame_length_max / 2)
    return "a chunk must have between 1 and "
           + std::to_string(wire::frame_length_max / 2) + " bytes";
  if (version_min == 0 || version_min > version_max)
    return "the lowest wire version must not be above the highest";
  return reconnect.validate();
}

} // namespace troupe::link
