// A typed handle of one entity, for plain threads.

#pragma once

#include <string>
#include <typeindex>
#include <utility>

#include "actors/core/lender.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/routing/call_port.hpp"
#include "nodes/blocking_port.hpp"

namespace troupe {

/// Not thread-safe: give each thread a copy.
template <class S>
class typed_entity {
public:
  typed_entity(call_port port, std::string key)
    : port_(std::move(port)), key_(std::move(key)) {}

  /// Ends calls after `longest`, or after the service's own time if that is
  /// shorter.
  typed_entity& timeout(std::chrono::milliseconds longest) {
    timeout_ = longest;
    return *this;
  }

  /// `entity.call(&counter::increment, 2)`: calls and waits; what comes back is
  /// durable. Errors: actors/core/errors.hpp.
  template <class Pointer, class... Us>
  auto call(Pointer method, Us&&... xs) {
    detail::check_method_call<S, Pointer, Us...>();
    using type = typename detail::call_traits<Pointer>::type;
    return call_as(static_cast<type*>(nullptr), method,
                   std::forward<Us>(xs)...);
  }

private:
  template <class R, class... As, class Pointer, class... Us>
  expected<R> call_as(R (*)(As...), Pointer method, Us&&... xs) {
    auto& classes = port_.routes().classes;
    auto i = classes.find(std::type_index{typeid(S)});
    auto entry = i != classes.end() ? i->second->find_pointer(method) : nullptr;
    if (!entry)
      return error{errc::not_found, "no service has this class and method"};
    auto target = port_.service(i->second->name);
    if (!target)
      return target.error();
    auto call =
      caf::make_counted<typed_invocation<R(As...)>>(std::forward<Us>(xs)...);
    call->entity = std::make_unique<entity_call>(
      entity_call{i->second->name, key_, entry->name});
    blocking_port waiter;
    call->port = &waiter;
    port_.prepare(*call, **target, timeout_);
    lender thread{port_.system(), nullptr, port_.environment().lend};
    (*target)->submit(call, thread);
    if (auto late = waiter.wait(*call))
      return *std::move(late);
    if (auto reason = call->failure())
      return *reason;
    if constexpr (std::is_void_v<R>)
      return {};
    else
      return call->take_result();
  }

  call_port port_;
  std::string key_;
  std::optional<std::chrono::milliseconds> timeout_;
};

} // namespace troupe
