// A typed handle of one entity, for plain threads.

#pragma once

#include <optional>
#include <string>
#include <typeindex>
#include <utility>

#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/routing/call_port.hpp"
#include "nodes/blocking_port.hpp"
#include "nodes/call_options.hpp"
#include "nodes/queued_calls.hpp"

namespace troupe {

/// Not thread-safe: give each thread a copy.
template <class S>
class typed_entity {
public:
  /// @param queue for durable calls; null: there are none. Outlives it
  typed_entity(call_port port, std::string key, dispatcher* queue = nullptr)
    : port_(port), key_(std::move(key)), queue_(queue) {}

  /// Ends calls after `longest`, or after the service's own time if that is
  /// shorter.
  typed_entity& timeout(std::chrono::milliseconds longest) {
    timeout_ = longest;
    return *this;
  }

  /// `entity.call(&counter::increment, 2)`: calls and waits; what comes back is
  /// durable. Errors: actors/core/errors.hpp.
  template <class Pointer, class... Us>
  requires std::is_member_function_pointer_v<Pointer>
  auto call(Pointer method, Us&&... xs) {
    return call(call_options{}, method, std::forward<Us>(xs)...);
  }

  /// `entity.call({.idempotency_key = "k1"}, &counter::increment, 2)`.
  template <class Pointer, class... Us>
  auto call(const call_options& options, Pointer method, Us&&... xs) {
    detail::check_method_call<S, Pointer, Us...>();
    using type = typename detail::call_traits<Pointer>::type;
    return call_as(static_cast<type*>(nullptr), options, method,
                   std::forward<Us>(xs)...);
  }

  /// `entity.async(&counter::increment, 2)`: queues a durable call, and waits
  /// until it is on disk. It has its effect once.
  template <class Pointer, class... Us>
  requires std::is_member_function_pointer_v<Pointer> expected<queued_call>
  async(Pointer method, Us&&... xs) {
    return async(async_options{}, method, std::forward<Us>(xs)...);
  }

  /// `entity.async({.delay = 5min}, &counter::increment, 2)`.
  template <class Pointer, class... Us>
  expected<queued_call> async(const async_options& options, Pointer method,
                              Us&&... xs) {
    detail::check_method_call<S, Pointer, Us...>();
    using type = typename detail::call_traits<Pointer>::type;
    auto service = find_service();
    if (!service)
      return service.error();
    auto entry = (*service)->find_pointer(method);
    if (!entry)
      return error{errc::not_found, "the service has no such method"};
    if (!is_valid_key(key_))
      return error{errc::bad_request, "a key is 1 to 512 bytes of UTF-8"};
    return queue_call(
      queue_, {(*service)->name, {}, key_, entry->name},
      caf::make_counted<typed_invocation<type>>(std::forward<Us>(xs)...)
        ->copy_arguments(),
      options);
  }

  /// Makes `state` the entity's, whatever it was before.
  expected<void> replace(const S& state, const call_options& options = {}) {
    auto service = find_service();
    if (!service)
      return service.error();
    entity_call to{(*service)->name, key_};
    to.operation = entity_operation::replace;
    return run(caf::make_counted<typed_invocation<void(json)>>(json(state)),
               std::move(to), options);
  }

  /// Deletes the entity; `not_found` if it has no state.
  expected<void> erase(const call_options& options = {}) {
    auto service = find_service();
    if (!service)
      return service.error();
    entity_call to{(*service)->name, key_};
    to.operation = entity_operation::erase;
    return run(caf::make_counted<typed_invocation<void()>>(), std::move(to),
               options);
  }

  /// The revision of the state that the last answer saw; nothing if it was an
  /// error that saw none.
  std::optional<uint64_t> revision() const noexcept { return revision_; }

private:
  expected<const service_definition*> find_service() {
    auto& classes = port_.routes().classes;
    auto i = classes.find(std::type_index{typeid(S)});
    if (i == classes.end())
      return error{errc::not_found, "no service has this class"};
    return i->second.get();
  }

  template <class R, class... As, class Pointer, class... Us>
  expected<R> call_as(R (*)(As...), const call_options& options, Pointer method,
                      Us&&... xs) {
    auto service = find_service();
    if (!service)
      return service.error();
    auto entry = (*service)->find_pointer(method);
    if (!entry)
      return error{errc::not_found, "the service has no such method"};
    return run(
      caf::make_counted<typed_invocation<R(As...)>>(std::forward<Us>(xs)...),
      {(*service)->name, key_, entry->name}, options);
  }

  template <class R, class... As>
  expected<R> run(caf::intrusive_ptr<typed_invocation<R(As...)>> call,
                  entity_call to, const call_options& options) {
    revision_.reset();
    auto target = port_.service(to.service);
    if (!target)
      return target.error();
    auto entity = make_entity_call(std::move(to), options);
    if (!entity)
      return entity.error();
    call->entity = std::move(*entity);
    blocking_port waiter;
    call->port = &waiter;
    port_.prepare(*call, **target, timeout_);
    lender thread{port_.system(), nullptr, port_.environment().lend};
    (*target)->submit(call, thread);
    if (auto late = waiter.wait(*call))
      return *std::move(late);
    revision_ = call->revision;
    if (auto reason = call->failure())
      return *reason;
    if constexpr (std::is_void_v<R>)
      return {};
    else
      return call->take_result();
  }

  call_port port_;
  std::string key_;
  dispatcher* queue_;
  std::optional<std::chrono::milliseconds> timeout_;
  std::optional<uint64_t> revision_;
};

} // namespace troupe
