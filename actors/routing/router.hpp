// Who owns the names. The router is the only one that changes routes: it checks
// that a name belongs to one module, numbers the versions, and publishes an
// immutable table for the callers. It keeps nothing but that table, so a router
// that is restarted goes on where the last one stopped.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <caf/unit.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/route_table.hpp"
#include "actors/core/tree.hpp"

namespace troupe {

/// The names that a module wants to bring.
struct module_claim {
  /// Says which module it is: a plugin's path, "program".
  std::string owner;

  /// Functions and exposed actors.
  std::vector<std::string> functions;

  std::vector<std::string> services;
};

/// What becomes visible, all at once.
struct route_change {
  struct function {
    std::string name;
    uint64_t version = 0;
    call_target_ptr target;
  };

  struct service {
    std::string name;
    call_target_ptr host;
    std::shared_ptr<const service_definition> definition;
  };

  std::string owner;
  std::vector<function> functions;
  std::vector<service> services;
};

/// What a change has made unreachable: name and version of functions.
struct published_change {
  std::vector<std::pair<std::string, uint64_t>> dropped;
};

/// Versions of a function that stay callable by their number.
inline constexpr size_t versions_max = 8;

// -- the router's decisions, without an actor ---------------------------------

/// The numbers for new versions of `claim`'s functions, in their order.
/// Fails with `bad_request` if a name belongs to another module or to another
/// kind.
expected<std::vector<uint64_t>> check_claim(const route_table& routes,
                                            const module_claim& claim);

/// `routes` with `change`.
std::shared_ptr<const route_table> apply(const route_table& routes,
                                         const route_change& change,
                                         published_change& result);

// -- the actor ----------------------------------------------------------------

using router_actor = caf::typed_actor<
  /// Numbers for new versions. Fails as `check_claim`.
  caf::replies_to<atom::claim, module_claim>::with<std::vector<uint64_t>>,
  /// Publishes a change.
  caf::replies_to<atom::publish, route_change>::with<published_change>,
  /// Points an alias of a function to a version of it. `not_found` if there is
  /// no such.
  caf::replies_to<atom::alias, std::string, std::string,
                  uint64_t>::with<caf::unit_t>,
  /// kind "router", its name the number of routes.
  caf::replies_to<atom::describe>::with<tree_node>>;

router_actor::behavior_type router(router_actor::pointer self,
                                   std::shared_ptr<route_source> routes);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::module_claim)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::route_change)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::published_change)
