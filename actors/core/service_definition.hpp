// A service is a class: its members are the state, its member functions the
// methods. A definition holds what the runtime needs of the class once its type
// is erased.

#pragma once

#include <any>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "actors/core/callable.hpp"
#include "actors/core/defaults.hpp"

namespace troupe {

/// The state of one entity.
class service_object {
public:
  virtual ~service_object() = default;

  virtual json save() const = 0;

  /// @throws std::exception if `state` does not fit the class
  virtual void load(const json& state) = 0;

  virtual void* get() noexcept = 0;
};

/// A method's code.
class method_code {
public:
  virtual ~method_code() = default;

  /// As `callable::run`, on `object` (a pointer to the service's class).
  virtual task<void> run(void* object, context& ctx,
                         invocation& call) const = 0;
};

struct method_definition {
  std::string name;

  /// Cannot change the state: never commits.
  bool is_const = false;

  /// The pointer to the member function.
  std::any pointer;

  std::shared_ptr<const method_code> code;
};

class service_definition {
public:
  std::string name;
  const std::type_info* type = nullptr;
  std::function<std::unique_ptr<service_object>()> make;
  std::vector<method_definition> methods;

  /// Turns a state of schema i + 1 into one of schema i + 2.
  std::vector<std::function<void(json&)>> upgrades;

  /// The schema of the states that the class reads and writes.
  uint32_t schema() const noexcept {
    return static_cast<uint32_t>(upgrades.size()) + 1;
  }

  /// The longest deadline that a call gets, and the one it gets unasked.
  std::chrono::milliseconds timeout = defaults::service::timeout;

  /// Null if there is none of that name.
  const method_definition* find(std::string_view method) const noexcept {
    for (auto& x : methods)
      if (x.name == method)
        return &x;
    return nullptr;
  }

  /// The method that `pointer` points to; null if it is none.
  template <class Pointer>
  const method_definition* find_pointer(Pointer pointer) const noexcept {
    for (auto& x : methods)
      if (auto p = std::any_cast<Pointer>(&x.pointer); p && *p == pointer)
        return &x;
    return nullptr;
  }
};

namespace detail {

template <class S>
class bound_object final : public service_object {
public:
  json save() const override { return json(object_); }

  void load(const json& state) override { object_ = state.get<S>(); }

  void* get() noexcept override { return &object_; }

private:
  S object_{};
};

/// Of a class that needs something: `make` gives it.
template <class S>
class made_object final : public service_object {
public:
  explicit made_object(std::function<S()> make)
    : make_(std::move(make)), object_(make_()) {}

  json save() const override { return json(object_); }

  void load(const json& state) override {
    auto next = make_();
    state.get_to(next);
    object_ = std::move(next);
  }

  void* get() noexcept override { return &object_; }

private:
  std::function<S()> make_;
  S object_;
};

template <class S, class Pointer>
class bound_method final : public method_code {
public:
  explicit bound_method(Pointer pointer) : pointer_(pointer) {}

  task<void> run(void* object, context& ctx, invocation& call) const override {
    return runner<traits>::run(
      [self = static_cast<S*>(object),
       pointer = pointer_](context& inner, auto&&... xs) -> decltype(auto) {
        if constexpr (traits::takes_context)
          return (self->*pointer)(inner, std::forward<decltype(xs)>(xs)...);
        else
          return (self->*pointer)(std::forward<decltype(xs)>(xs)...);
      },
      ctx, call);
  }

private:
  using traits = call_traits<Pointer>;

  Pointer pointer_;
};

} // namespace detail

namespace detail {

/// What the compiler says of a call that cannot work.
template <class S, class Pointer, class... Us>
constexpr void check_method_call() {
  using traits = call_traits<Pointer>;
  static_assert(std::is_base_of_v<typename traits::object, S>,
                "the method belongs to another class");
  static_assert(sizeof...(Us) == std::tuple_size_v<typename traits::arguments>,
                "the method takes another number of arguments");
}

} // namespace detail

/// Calls an entity from a handler.
template <class S>
class entity_handle {
public:
  entity_handle(context& self, std::string_view key) : self_(self), key_(key) {}

  /// The calls have their effect only if these locks are held when they are
  /// committed; else they fail with `lock_held`.
  entity_handle& holding(std::vector<lock_proof> locks) {
    locks_ = std::move(locks);
    return *this;
  }

  /// How calls that are sent are treated.
  entity_handle& with(send_options options) {
    options_ = std::move(options);
    return *this;
  }

  /// Calls it later: `handle.send(&S::method, arguments...)`; see
  /// `context::send`.
  /// @throws error_exception also `not_found` if the node has no such service,
  ///         `bad_request` if it is to hold locks
  template <class Pointer, class... Us>
  void send(Pointer method, Us&&... xs) const {
    detail::check_method_call<S, Pointer, Us...>();
    if (!locks_.empty())
      throw error_exception{
        error{errc::bad_request, "nobody holds a lock for a later call"}};
    auto [service, entry] = find(method);
    typename detail::call_traits<Pointer>::arguments all{
      std::forward<Us>(xs)...};
    self_.send({service->name, {}, key_, entry->name}, encode_arguments(all),
               options_);
  }

  /// `co_await handle.call(&S::method, arguments...)`.
  /// @throws error_exception `not_found` if the node has no such service,
  ///         `bad_request` if a lock is none
  template <class Pointer, class... Us>
  auto call(Pointer method, Us&&... xs) const {
    detail::check_method_call<S, Pointer, Us...>();
    using type = typename detail::call_traits<Pointer>::type;
    return call_as(static_cast<type*>(nullptr), method,
                   std::forward<Us>(xs)...);
  }

private:
  template <class Pointer>
  std::pair<const service_definition*, const method_definition*>
  find(Pointer method) const {
    auto service = self_.host().service_of(typeid(S));
    auto entry = service ? service->find_pointer(method) : nullptr;
    if (!entry)
      throw error_exception{
        error{errc::not_found, "no service has this class and method"}};
    return {service, entry};
  }

  template <class R, class... As, class Pointer, class... Us>
  auto call_as(R (*signature)(As...), Pointer method, Us&&... xs) const {
    auto [service, entry] = find(method);
    auto locks = checked_lock_proofs(locks_).value();
    auto nested =
      detail::make_nested(self_, signature, std::forward<Us>(xs)...);
    nested->entity = std::make_unique<entity_call>(
      entity_call{service->name, key_, entry->name});
    nested->entity->locks = std::move(locks);
    return detail::call_awaiter<R, As...>{self_, service->name,
                                          std::move(nested)};
  }

  context& self_;
  std::string key_; // a handle may outlive the text that it was made from
  std::vector<lock_proof> locks_;
  send_options options_;
};

template <class When, class Pointer, class... Us>
requires std::is_member_function_pointer_v<Pointer>
void context::remind(std::string name, When when, Pointer method, Us&&... xs) {
  using traits = detail::call_traits<Pointer>;
  static_assert(!traits::is_const, "a const method commits nothing");
  static_assert(sizeof...(Us) == std::tuple_size_v<typename traits::arguments>,
                "the method takes another number of arguments");
  auto service = host_.own_service();
  auto entry = service ? service->find_pointer(method) : nullptr;
  if (!entry)
    throw error_exception{
      error{errc::not_found, "this service has no such method"}};
  typename traits::arguments all{std::forward<Us>(xs)...};
  remind(std::move(name), when, entry->name, encode_arguments(all));
}

} // namespace troupe
