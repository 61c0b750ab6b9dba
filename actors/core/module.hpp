// A set of functions, services and exposed actors, as a value. It needs no node
// and no argv: a program links it in, a plugin exports one, a test runs it in
// virtual time.
//
//   troupe::module shop() {
//     troupe::module m;
//     m.function("add", [](int a, int b) { return a + b; });
//     m.service<counter>("counter")
//       .method("get", &counter::get)
//       .method("increment", &counter::increment);
//     return m;
//   }

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/core/callable.hpp"
#include "actors/core/exposed.hpp"
#include "actors/core/limits.hpp"
#include "actors/core/service_definition.hpp"

namespace troupe {

/// A name for functions, services, methods: [A-Za-z0-9_-]{1,64}.
bool is_valid_name(std::string_view name) noexcept;

/// A key of an entity: 1 to 512 bytes of UTF-8.
bool is_valid_key(std::string_view key) noexcept;

struct function_definition {
  std::string name;
  function_limits limits;
  std::shared_ptr<const callable> code;
};

/// Sets limits of what was just added: `m.function(...).concurrency(4)`.
class limits_builder {
public:
  explicit limits_builder(function_limits& limits) : limits_(limits) {}

  limits_builder& concurrency(uint32_t count);

  limits_builder& queue(uint32_t count);

  limits_builder& timeout(std::chrono::milliseconds longest);

  /// The handler blocks: it gets threads of its own.
  limits_builder& blocking();

private:
  function_limits& limits_;
};

/// Adds methods to a service.
namespace detail {

/// @throws std::invalid_argument if the next upgrade of `service` is not one
/// from schema `from`
void check_upgrade(const service_definition& service, uint32_t from,
                   bool has_code);

} // namespace detail

template <class S>
class service_builder {
public:
  explicit service_builder(service_definition& definition)
    : definition_(definition) {}

  /// A member function of `S`, or of a base of it. A const one never commits.
  /// @throws std::invalid_argument if the name is not valid or taken
  template <class Pointer>
  service_builder& method(std::string name, Pointer pointer);

  /// The state's shape has changed: `f(json& state)` turns a stored state of
  /// schema `from` into one of `from + 1`. The first schema is 1, and each
  /// upgrade raises the service's own by one, so they are given in order. A
  /// state is upgraded when it is loaded, and stored anew with the next change.
  /// @throws std::invalid_argument if `from` is not the newest schema so far
  service_builder& upgrade(uint32_t from, std::function<void(json&)> f) {
    detail::check_upgrade(definition_, from, f != nullptr);
    definition_.upgrades.push_back(std::move(f));
    return *this;
  }

  service_builder& timeout(std::chrono::milliseconds longest) {
    definition_.timeout = longest;
    return *this;
  }

private:
  service_definition& definition_;
};

class module {
public:
  module() = default;
  module(module&&) = default;
  module& operator=(module&&) = default;
  module(const module&) = default;
  module& operator=(const module&) = default;

  /// A callable of any arity whose arguments and result convert to and from
  /// JSON, or that takes the raw body (one `std::string` or `payload`); a
  /// leading `context&` and a `task<>` result are no part of its signature.
  /// Several instances call it at once.
  /// @throws std::invalid_argument if the name is not valid or taken
  template <class F>
  limits_builder function(std::string name, F f) {
    detail::check_handler<F>();
    return add_function(
      std::move(name),
      std::make_shared<detail::bound_function<F>>(std::move(f)));
  }

  /// A class whose state converts to and from JSON and that can be made without
  /// arguments.
  /// @throws std::invalid_argument if the name is not valid or taken
  template <class S>
  service_builder<S> service(std::string name) {
    static_assert(std::is_default_constructible_v<S>,
                  "a service is made without arguments");
    static_assert(std::is_constructible_v<json, const S&>,
                  "the state does not convert to JSON: give the class "
                  "NLOHMANN_DEFINE_TYPE_INTRUSIVE");
    return service_builder<S>{add_service(std::move(name), typeid(S), [] {
      return std::make_unique<detail::bound_object<S>>();
    })};
  }

  /// The same for a class that needs something which is no part of its state:
  /// `make` gives an object without a state, into which one is read.
  template <class S>
  service_builder<S> service(std::string name, std::function<S()> make) {
    static_assert(std::is_constructible_v<json, const S&>,
                  "the state does not convert to JSON: give the class "
                  "NLOHMANN_DEFINE_TYPE_INTRUSIVE");
    return service_builder<S>{
      add_service(std::move(name), typeid(S), [make = std::move(make)] {
        return std::make_unique<detail::made_object<S>>(make);
      })};
  }

  /// A CAF actor that is supervised and reached under `name` from C++, HTTP and
  /// the command line: `m.expose("ticker", spawn, signature<int(int)>{})`.
  /// @throws std::invalid_argument if the name is not valid or taken
  template <class R, class... As>
  limits_builder expose(std::string name, actor_factory spawn,
                        signature<R(As...)>) {
    using type = typename signature<R(As...)>::type;
    return add_exposed(std::move(name), std::move(spawn),
                       std::make_shared<detail::bound_signature<type>>());
  }

  /// The same, reached from C++ only.
  limits_builder expose(std::string name, actor_factory spawn) {
    return add_exposed(std::move(name), std::move(spawn), nullptr);
  }

  const std::vector<std::shared_ptr<function_definition>>&
  functions() const noexcept {
    return functions_;
  }

  const std::vector<std::shared_ptr<service_definition>>&
  services() const noexcept {
    return services_;
  }

  const std::vector<std::shared_ptr<exposed_definition>>&
  exposed() const noexcept {
    return exposed_;
  }

  /// Keeps `owner` alive as long as anything of this module may run.
  void keep(std::shared_ptr<void> owner) { owner_ = std::move(owner); }

private:
  limits_builder add_function(std::string name,
                              std::shared_ptr<const callable> code);

  service_definition&
  add_service(std::string name, const std::type_info& type,
              std::function<std::unique_ptr<service_object>()> make);

  limits_builder
  add_exposed(std::string name, actor_factory spawn,
              std::shared_ptr<const exposed_signature> signature);

  void check_free(const std::string& name) const;

  // First in, last out: the code above lives in what it owns.
  std::shared_ptr<void> owner_;
  std::vector<std::shared_ptr<function_definition>> functions_;
  std::vector<std::shared_ptr<service_definition>> services_;
  std::vector<std::shared_ptr<exposed_definition>> exposed_;
};

namespace detail {

/// @throws std::invalid_argument if `service` cannot have a method `name`
void check_method(const service_definition& service, const std::string& name);

} // namespace detail

template <class S>
template <class Pointer>
service_builder<S>& service_builder<S>::method(std::string name,
                                               Pointer pointer) {
  using traits = detail::call_traits<Pointer>;
  static_assert(std::is_base_of_v<typename traits::object, S>,
                "the method belongs to another class");
  detail::check_method(definition_, name);
  definition_.methods.push_back(
    {std::move(name), traits::is_const, pointer,
     std::make_shared<detail::bound_method<S, Pointer>>(pointer)});
  return *this;
}

} // namespace troupe
