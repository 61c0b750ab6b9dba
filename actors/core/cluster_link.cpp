#include "actors/core/cluster_link.hpp"

namespace troupe {

std::string to_string(const peer_identity& x) {
  return x.node + '/' + x.incarnation;
}

} // namespace troupe
