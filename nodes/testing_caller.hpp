// Typed calls for the test kit: what a bench of one node and a node of a test's
// cluster have in common.

#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "actors/core/module.hpp"
#include "actors/core/typed_call.hpp"
#include "nodes/call_options.hpp"
#include "nodes/testing_print.hpp"

namespace troupe::testing {

class caller {
public:
  virtual ~caller() = default;

  /// Calls a function or exposed actor; virtual time goes on until the answer is
  /// there.
  template <class R, class... As>
  expected<R> call(std::string_view name, As... xs) {
    auto call =
      caf::make_counted<typed_invocation<R(argument<As>...)>>(std::move(xs)...);
    return outcome<R>(*call, run(call, name));
  }

  /// Calls a method of an entity: `t.call_entity(&counter::get, "k")`.
  template <class Pointer, class... Us>
  requires std::is_member_function_pointer_v<Pointer>
  auto call_entity(Pointer method, std::string key, Us&&... xs) {
    return call_entity(call_options{}, method, std::move(key),
                       std::forward<Us>(xs)...);
  }

  /// `t.call_entity({.idempotency_key = "1"}, &counter::increment, "k", 2)`.
  template <class Pointer, class... Us>
  auto call_entity(const call_options& options, Pointer method, std::string key,
                   Us&&... xs) {
    using type = typename detail::call_traits<Pointer>::type;
    using object = typename detail::call_traits<Pointer>::object;
    detail::check_method_call<object, Pointer, Us...>();
    return call_entity_as(static_cast<type*>(nullptr), typeid(object), options,
                          method, std::move(key), std::forward<Us>(xs)...);
  }

protected:
  /// Submits and drives until it is answered. An error if there is no target, or
  /// nothing is left that could answer.
  virtual expected<void> run(const invocation_ptr& call,
                             std::string_view name) = 0;

  /// Null if no service has this class.
  virtual const service_definition* find_class(const std::type_info& type) = 0;

private:
  /// A literal is a string.
  template <class T>
  using argument =
    std::conditional_t<std::is_same_v<T, const char*>, std::string, T>;

  template <class R, class Call>
  static expected<R> outcome(Call& call, const expected<void>& done) {
    if (!done)
      return done.error();
    if (auto reason = call.failure())
      return *reason;
    if constexpr (std::is_void_v<R>)
      return {};
    else
      return call.take_result();
  }

  template <class R, class... As, class Pointer, class... Us>
  expected<R> call_entity_as(R (*)(As...), const std::type_info& type,
                             const call_options& options, Pointer method,
                             std::string key, Us&&... xs) {
    auto service = find_class(type);
    auto entry = service ? service->find_pointer(method) : nullptr;
    if (!entry)
      return error{errc::not_found, "no service has this class and method"};
    auto call =
      caf::make_counted<typed_invocation<R(As...)>>(std::forward<Us>(xs)...);
    auto entity =
      make_entity_call({service->name, std::move(key), entry->name}, options);
    if (!entity)
      return entity.error();
    call->entity = std::move(*entity);
    return outcome<R>(*call, run(call, service->name));
  }
};

} // namespace troupe::testing
