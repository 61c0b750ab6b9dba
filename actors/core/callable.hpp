// A handler behind one virtual call. The template turns any C++ callable into
// it: typed callers reach it without a byte being serialized, all others
// through the codec.

#pragma once

#include <functional>
#include <utility>

#include "actors/core/context.hpp"
#include "actors/core/typed_call.hpp"

namespace troupe {

/// A function's code. Called by several instances at once.
class callable {
public:
  virtual ~callable() = default;

  /// Runs the handler: sets the call's result, or throws. A coroutine comes
  /// back as a task that was not started yet; anything else as an empty task.
  virtual task<void> run(context& ctx, invocation& call) const = 0;
};

namespace detail {

/// Runs `f(ctx, arguments...)` for one call; `Traits` says what it takes.
template <class Traits, class Type = typename Traits::type>
struct runner;

template <class Traits, class R, class... As>
struct runner<Traits, R(As...)> {
  using arguments = std::tuple<As...>;
  using call_type = typed_call<R(As...)>;

  template <class F>
  static task<void> run(F f, context& ctx, invocation& call) {
    auto typed = static_cast<call_type*>(call.typed(typeid(R(As...))));
    if constexpr (Traits::is_task) {
      if (typed)
        return run_typed_task(std::move(f), ctx, *typed);
      return run_task(std::move(f), ctx, call);
    } else {
      if (typed) {
        if constexpr (std::is_void_v<R>) {
          apply(f, ctx, typed->arguments);
          typed->result.emplace();
        } else {
          typed->result.emplace(apply(f, ctx, typed->arguments));
        }
        return {};
      }
      std::string type;
      auto xs = decode(call, type);
      if constexpr (std::is_void_v<R>) {
        apply(f, ctx, xs);
        call.set_result({"null", {}});
      } else {
        auto result = apply(f, ctx, xs);
        call.set_result(encode(result, std::move(type)));
      }
      return {};
    }
  }

private:
  /// The arguments outlive the call, also of a coroutine that refers to them.
  template <class F>
  static decltype(auto) apply(F& f, context& ctx, arguments& xs) {
    return std::apply(
      [&](As&... ys) -> decltype(auto) { return f(ctx, std::move(ys)...); },
      xs);
  }

  static arguments decode(invocation& call, std::string& type) {
    auto body = call.take_arguments();
    if constexpr (is_raw_tuple<arguments>)
      type = body.content_type;
    return decode_arguments<arguments>(std::move(body));
  }

  template <class T>
  static payload encode(T& result, std::string type) {
    // Bytes in, bytes out: the media type stays.
    if constexpr (is_raw_tuple<arguments> && std::is_same_v<T, std::string>)
      return {std::move(result), std::move(type)};
    else
      return encode_result(result);
  }

  template <class F>
  static task<void> run_typed_task(F f, context& ctx, call_type& typed) {
    if constexpr (std::is_void_v<R>) {
      co_await apply(f, ctx, typed.arguments);
      typed.result.emplace();
    } else {
      typed.result.emplace(co_await apply(f, ctx, typed.arguments));
    }
  }

  template <class F>
  static task<void> run_task(F f, context& ctx, invocation& call) {
    std::string type;
    auto xs = decode(call, type);
    if constexpr (std::is_void_v<R>) {
      co_await apply(f, ctx, xs);
      call.set_result({"null", {}});
    } else {
      auto result = co_await apply(f, ctx, xs);
      call.set_result(encode(result, std::move(type)));
    }
  }
};

/// A function, or an object with one `operator()` that is no template.
template <class F>
concept plain_callable =
  std::is_function_v<std::remove_pointer_t<F>> || requires {
  &F::operator();
};

/// An argument that the codec can make from JSON.
template <class T>
    struct is_json_argument
  : std::bool_constant
    < is_raw<T> || std::is_same_v<T, text> || requires(const json& x) {
  x.template get<T>();
} > {};

template <class T>
struct is_json_argument<std::optional<T>> : is_json_argument<T> {};

template <class T>
struct is_json_argument<std::vector<T>> : is_json_argument<T> {};

template <class T>
struct is_json_argument<std::map<std::string, T>> : is_json_argument<T> {};

template <class T>
struct is_json_argument<std::unordered_map<std::string, T>>
  : is_json_argument<T> {};

template <class Tuple>
struct arguments_convert;

template <class... As>
struct arguments_convert<std::tuple<As...>>
  : std::bool_constant<(... && is_json_argument<As>::value)> {};

/// What the compiler says, at the user's line, of what cannot be a handler.
template <class F>
constexpr void check_handler() {
  static_assert(plain_callable<F>,
                "a handler is a function or a lambda without `auto` arguments");
  if constexpr (plain_callable<F>) {
    using traits = call_traits<F>;
    static_assert(arguments_convert<typename traits::arguments>::value,
                  "an argument does not convert from JSON: give its class "
                  "NLOHMANN_DEFINE_TYPE_INTRUSIVE; a context comes first and "
                  "as `context&`");
  }
}

template <class F>
class bound_function final : public callable {
public:
  explicit bound_function(F f) : f_(std::move(f)) {}

  task<void> run(context& ctx, invocation& call) const override {
    return runner<traits>::run(
      [this](context& inner, auto&&... xs) -> decltype(auto) {
        if constexpr (traits::takes_context)
          return std::invoke(f_, inner, std::forward<decltype(xs)>(xs)...);
        else
          return std::invoke(f_, std::forward<decltype(xs)>(xs)...);
      },
      ctx, call);
  }

private:
  using traits = call_traits<F>;

  F f_;
};

} // namespace detail

} // namespace troupe
