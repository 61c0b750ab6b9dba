#include "actors/core/cluster_link.hpp"

namespace troupe {

std::string to_string(const peer_identity& x) {
  return x.node + '/' + x.incarnation;
}

forwarded_answer unanswered() {
  forwarded_answer result;
  result.what = forwarded_answer::outcome::failed;
  result.failure =
    error{errc::shutting_down, "the node ended before it took the call"}
      .retry_after(1);
  return result;
}

} // namespace troupe
