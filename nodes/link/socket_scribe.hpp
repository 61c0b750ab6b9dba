// A connection in CAF's event loop, plain or with TLS. CAF's own TLS scribe can
// only be had from its middleman actor, which connects and shakes hands on its
// own thread, for one peer after the other.

#pragma once

#include <memory>

#include <caf/io/scribe.hpp>

#include "nodes/link/dialer.hpp"

namespace caf::io::network {

class default_multiplexer;

} // namespace caf::io::network

namespace troupe::link {

/// @param tls null for plain TCP
caf::io::scribe_ptr make_scribe(caf::io::network::default_multiplexer& loop,
                                owned_fd fd, std::shared_ptr<tls_session> tls);

} // namespace troupe::link
