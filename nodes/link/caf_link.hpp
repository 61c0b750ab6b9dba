// A node's links over CAF's middleman, plain or with mutual TLS. See README.md.

#pragma once

#include <map>
#include <memory>
#include <mutex>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/core/cluster_link.hpp"
#include "nodes/link/options.hpp"

namespace troupe::link {

/// To be called before the actor system starts: loads the middleman and sets what
/// links need of it.
void prepare(caf::actor_system_config& config);

/// The links of this node. Listens from now on, but lets nobody in before
/// `listen`.
/// @pre `prepare` was called for the system's configuration
/// @throws tls_error, std::runtime_error, std::invalid_argument
std::unique_ptr<cluster_link> make_caf_link(caf::actor_system& sys,
                                            link_options options);

} // namespace troupe::link
