// A module under test: the actors that a node would run, in virtual time, on the
// thread of the test, without sockets and files.
//
//   TEST(shop, counts_visits) {
//     troupe::testing::bench t{shop()};
//     EXPECT_EQ(t.call<int>("visit", 4), 4);
//     t.refuse_next_commit();
//     EXPECT_EQ(t.call<int>("visit", 4).error(), troupe::errc::not_owner);
//   }
//
// Nothing happens between two calls of the bench, and a call that waits (for a
// sleep, a time-out) takes no real time.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "actors/core/lender.hpp"
#include "actors/core/lock_grant.hpp"
#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/routing/call_port.hpp"
#include "nodes/call_options.hpp"
#include "nodes/stored_entities.hpp"

namespace troupe {

class assembly;

std::ostream& operator<<(std::ostream& out, const error& x);

std::ostream& operator<<(std::ostream& out, errc x);

template <class T>
std::ostream& operator<<(std::ostream& out, const expected<T>& x) {
  if (!x)
    return out << x.error();
  if constexpr (std::is_void_v<T>)
    return out << "done";
  else
    return out << dump_json(detail::to_json_value(*x));
}

} // namespace troupe

namespace troupe::testing {

/// Runs one module.
class bench {
public:
  /// @throws error_exception if the module cannot be installed
  explicit bench(const module& content);

  bench(const bench&) = delete;

  ~bench();

  // -- calls -----------------------------------------------------------------

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

  // -- stored entities -------------------------------------------------------

  /// As `runtime::keys`.
  expected<entity_page> keys(const std::string& service, key_query query = {});

  /// As `runtime::state`.
  expected<stored_state> state(const std::string& service,
                               const std::string& key);

  /// As `runtime::replace`: what an older build has left, say.
  expected<void> replace(const std::string& service, const std::string& key,
                         const stored_state& state,
                         const call_options& options = {});

  /// As `runtime::erase`.
  expected<void> erase(const std::string& service, const std::string& key,
                       const call_options& options = {});

  // -- locks -----------------------------------------------------------------

  /// As `runtime::lock`, in virtual time; nothing releases it by itself:
  /// `t.call_entity({.locks = {*t.lock("door")}}, &counter::increment, "k", 2)`.
  expected<lock_proof> lock(std::string name, const lock_options& options = {});

  /// `lock_held` if it was lost.
  expected<void> release(const lock_proof& held);

  // -- time ------------------------------------------------------------------

  /// Lets virtual time pass.
  void advance(std::chrono::nanoseconds time);

  std::chrono::steady_clock::time_point now() const;

  // -- faults ----------------------------------------------------------------

  /// The next commit finds that another node has changed the entity.
  void refuse_next_commit();

  /// The next commit fails: the store does not answer.
  void fail_next_commit();

  /// Nobody learns what became of the next commit; it did happen.
  void lose_next_outcome();

  // -- what is under it ------------------------------------------------------

  caf::actor_system& system();

private:
  class faulty_store;

  /// A literal is a string.
  template <class T>
  using argument =
    std::conditional_t<std::is_same_v<T, const char*>, std::string, T>;

  /// Submits and drives until it is answered. An error if there is no target, or
  /// nothing is left that could answer.
  expected<void> run(const invocation_ptr& call, std::string_view name);

  expected<void> drive(const invocation_ptr& call, call_target& target);

  /// Lets messages and time go on until `is_done`; an error if nothing is left
  /// that could happen.
  expected<void> go_on_until(const std::function<bool()>& is_done);

  expected<void> change(entity_call to, std::string body,
                        const call_options& options);

  const service_definition* find_class(const std::type_info& type);

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

  faulty_store* store_ = nullptr; // owned by the assembly
  std::unique_ptr<assembly> assembly_;
  std::unique_ptr<call_port> port_;
};

} // namespace troupe::testing
