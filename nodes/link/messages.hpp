// What the parts of a node's links tell the broker. They never leave the process.

#pragma once

#include <chrono>
#include <future>
#include <memory>

#include <caf/allowed_unsafe_message_type.hpp>

#include "nodes/link/dialer.hpp"
#include "nodes/link/outbound_link.hpp"
#include "nodes/link/session.hpp"

namespace troupe::link {

/// session -> broker: there is something to write.
struct flush_request {
  session_ptr who;
};

/// dialer -> broker: a socket is ready, or will not be.
struct dialed {
  std::shared_ptr<dial_result> result;
};

/// cluster_link -> broker: this node goes by that name from now on.
struct identity {
  peer_identity self;
};

/// cluster_link -> broker: a link is wanted from now on.
struct link_wanted {
  outbound_link_ptr link;
};

/// cluster_link -> broker: it is not wanted any more, and that run of the node is
/// refused.
struct link_unwanted {
  peer_identity peer;
};

/// cluster_link -> broker: write what there is, close, end.
struct closing {
  std::chrono::milliseconds time;
};

/// INTERNAL: it is time to try again.
struct retry_due {
  outbound_link_ptr link;
  uint64_t round = 0;
};

} // namespace troupe::link

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::flush_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::dialed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::identity)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::link_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::link_unwanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::closing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::link::retry_due)
