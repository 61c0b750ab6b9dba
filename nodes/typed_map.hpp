// Many typed calls at once: `runtime::map`.

#pragma once

#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include "actors/core/service_definition.hpp"
#include "actors/core/typed_call.hpp"
#include "nodes/blocking_map.hpp"
#include "nodes/call_options.hpp"

namespace troupe::detail {

/// What all typed maps have: results by place.
template <class R>
class typed_results : public fan_out_work {
public:
  explicit typed_results(size_t count) : results_(count) {}

  size_t size() const override { return results_.size(); }

  void failed(size_t i, error reason) override {
    results_[i].emplace(std::move(reason));
  }

  /// @pre each input is answered
  std::vector<expected<R>> take() {
    std::vector<expected<R>> result;
    result.reserve(results_.size());
    for (auto& x : results_)
      result.push_back(std::move(*x));
    return result;
  }

protected:
  template <class... As>
  void take_answer(size_t i, invocation& call, R (*)(As...)) {
    if (auto reason = call.failure())
      results_[i].emplace(*reason);
    else if constexpr (std::is_void_v<R>)
      results_[i].emplace();
    else
      results_[i].emplace(
        static_cast<typed_invocation<R(As...)>&>(call).take_result());
  }

private:
  std::vector<std::optional<expected<R>>> results_;
};

/// The arguments that one input stands for: a tuple is several.
template <class T>
struct map_arguments {
  using type = std::tuple<std::decay_t<T>>;
};

template <>
struct map_arguments<const char*> {
  using type = std::tuple<std::string>;
};

template <class... As>
struct map_arguments<std::tuple<As...>> {
  using type = std::tuple<std::decay_t<As>...>;
};

template <class R, class Inputs,
          class Arguments = typename map_arguments<std::decay_t<
            decltype(*std::begin(std::declval<const Inputs&>()))>>::type>
class function_map;

template <class R, class Inputs, class... As>
class function_map<R, Inputs, std::tuple<As...>> final
  : public typed_results<R> {
public:
  function_map(std::string name, const Inputs& inputs)
    : typed_results<R>(std::size(inputs)), name_(std::move(name)),
      inputs_(inputs) {}

  expected<call_target_ptr> target(call_port& port) override {
    return port.function(name_);
  }

  invocation_ptr make(size_t i) override {
    std::tuple<As...> arguments{inputs_[i]};
    return std::apply(
      [](As&... xs) -> invocation_ptr {
        return caf::make_counted<fanned<typed_invocation<R(As...)>>>(
          std::move(xs)...);
      },
      arguments);
  }

  void done(size_t i, invocation& call) override {
    this->take_answer(i, call, static_cast<R (*)(As...)>(nullptr));
  }

private:
  const std::string name_;
  const Inputs& inputs_;
};

template <class Keys, class Pointer, class Type>
class entity_map;

template <class Keys, class Pointer, class R, class... As>
class entity_map<Keys, Pointer, R(As...)> final : public typed_results<R> {
public:
  template <class... Us>
  entity_map(const Keys& keys, Pointer method, Us&&... xs)
    : typed_results<R>(std::size(keys)), keys_(keys), method_(method),
      arguments_(std::forward<Us>(xs)...) {}

  expected<call_target_ptr> target(call_port& port) override {
    using object = typename call_traits<Pointer>::object;
    auto& classes = port.routes().classes;
    auto i = classes.find(std::type_index{typeid(object)});
    auto entry =
      i != classes.end() ? i->second->find_pointer(method_) : nullptr;
    if (!entry)
      return error{errc::not_found, "no service has this class and method"};
    service_ = i->second->name;
    name_ = entry->name;
    return port.service(service_);
  }

  invocation_ptr make(size_t i) override {
    auto arguments = arguments_;
    auto result = std::apply(
      [](As&... xs) {
        return caf::make_counted<fanned<typed_invocation<R(As...)>>>(
          std::move(xs)...);
      },
      arguments);
    result->entity = std::make_unique<entity_call>(
      entity_call{service_, std::string{keys_[i]}, name_});
    return result;
  }

  void done(size_t i, invocation& call) override {
    this->take_answer(i, call, static_cast<R (*)(As...)>(nullptr));
  }

private:
  const Keys& keys_;
  const Pointer method_;
  const std::tuple<As...> arguments_;
  std::string service_; // as `target` has found it last
  std::string name_;
};

} // namespace troupe::detail
