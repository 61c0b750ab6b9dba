// A call whose arguments and result keep their C++ types. When caller and
// handler agree on the signature nothing is serialized; when they do not, or the
// call crosses a border, it turns into bytes by itself.

#pragma once

#include <optional>
#include <tuple>
#include <typeinfo>
#include <variant>

#include "actors/core/codec.hpp"
#include "actors/core/invocation.hpp"

namespace troupe {

template <class Signature>
struct typed_call;

/// Arguments and result of one call.
template <class R, class... As>
struct typed_call<R(As...)> {
  using result_type = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  std::tuple<As...> arguments;
  std::optional<result_type> result;
};

template <class Signature>
class typed_invocation;

template <class R, class... As>
class typed_invocation<R(As...)> : public invocation {
public:
  using call_type = typed_call<R(As...)>;

  template <class... Us>
  explicit typed_invocation(Us&&... xs)
    : call_{{std::forward<Us>(xs)...}, {}} {}

  void* typed(const std::type_info& signature) noexcept override {
    return signature == typeid(R(As...)) ? &call_ : nullptr;
  }

  payload take_arguments() override {
    return encode_arguments(call_.arguments);
  }

  void give_back([[maybe_unused]] payload bytes) override {
    // Raw ones were moved; encoding leaves all others as they are.
    if constexpr (detail::is_raw_tuple<std::tuple<As...>>) {
      auto& x = std::get<0>(call_.arguments);
      if constexpr (std::is_same_v<As..., payload>)
        x = std::move(bytes);
      else
        x = std::move(bytes.bytes);
    }
  }

  payload copy_arguments() const override {
    if constexpr (std::is_copy_constructible_v<std::tuple<As...>>) {
      auto copy = call_.arguments;
      return encode_arguments(copy);
    } else {
      throw error_exception{
        {errc::bad_request, "these arguments cannot be copied"}};
    }
  }

  payload copy_result() const override {
    if constexpr (std::is_void_v<R>) {
      return {"null", {}};
    } else if constexpr (std::is_copy_constructible_v<R>) {
      auto copy = *call_.result;
      return encode_result(copy);
    } else {
      throw error_exception{
        {errc::bad_request, effect::ran, "the result cannot be copied"}};
    }
  }

  void set_result(payload bytes) override {
    if constexpr (std::is_void_v<R>)
      call_.result.emplace();
    else
      call_.result.emplace(decode(std::move(bytes)));
  }

  /// @pre answered without an error
  typename call_type::result_type take_result() {
    return std::move(*call_.result);
  }

private:
  static typename call_type::result_type decode(payload bytes) {
    try {
      return decode_result<R>(std::move(bytes));
    } catch (const error_exception& e) {
      // The handler did run; its caller expected something else.
      throw error_exception{error{e.reason()}.with_effect(effect::ran)};
    }
  }

  call_type call_;
};

} // namespace troupe
