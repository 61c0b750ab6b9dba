#include "actors/core/cluster_backends.hpp"

namespace troupe {

std::string_view to_string(node_state x) noexcept {
  switch (x) {
  case node_state::joining:
    return "joining";
  case node_state::up:
    return "up";
  case node_state::draining:
    return "draining";
  case node_state::down:
    return "down";
  }
  return "?";
}

std::optional<node_state> node_state_from_string(std::string_view x) noexcept {
  for (auto state : {node_state::joining, node_state::up, node_state::draining,
                     node_state::down})
    if (to_string(state) == x)
      return state;
  return std::nullopt;
}

} // namespace troupe
