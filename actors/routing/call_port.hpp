// Where calls begin: one for each HTTP thread, calling thread, typed handle. It
// has its own view of the routes and its own numbers for invocations, so that
// callers share nothing that they write to.

#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include <caf/fwd.hpp>

#include "actors/core/expected.hpp"
#include "actors/core/interfaces.hpp"
#include "actors/core/route_table.hpp"

namespace troupe {

/// Not thread-safe; copies are independent.
class call_port {
public:
  call_port(caf::actor_system& sys, const call_environment& env);

  call_port(const call_port& other);

  call_port& operator=(const call_port&) = delete;

  /// The target of a function; `not_found` if there is none.
  expected<call_target_ptr> function(std::string_view name,
                                     std::string_view qualifier = {});

  /// The host of a service; `not_found` if there is none.
  expected<call_target_ptr> service(std::string_view name);

  const route_table& routes() { return *routes_; }

  /// The number of the newest routes: a cached target of an older one is stale.
  uint64_t routes_version() const noexcept { return env_.routes.version(); }

  /// Gives `call` its number and its deadline: `timeout` from now, or the
  /// target's own if that is shorter or none is given.
  void prepare(invocation& call, const call_target& target,
               std::optional<std::chrono::milliseconds> timeout);

  /// The same for a call of no target, which gets `longest` at most.
  void prepare(invocation& call, std::chrono::milliseconds longest,
               std::optional<std::chrono::milliseconds> timeout);

  caf::actor_system& system() noexcept { return sys_; }

  const call_environment& environment() const noexcept { return env_; }

private:
  caf::actor_system& sys_;
  const call_environment& env_;
  route_view routes_;
  invocation_id next_;
};

} // namespace troupe
