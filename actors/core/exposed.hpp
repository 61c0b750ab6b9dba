// A plain CAF actor under a name: supervised, and called like a function.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

#include "actors/core/limits.hpp"
#include "actors/core/typed_call.hpp"

namespace troupe {

/// Spawns the actor; runs again for each restart.
using actor_factory = std::function<caf::actor(caf::actor_system&)>;

/// Turns calls into the messages that the actor understands, and its answers
/// into results.
class exposed_signature {
public:
  virtual ~exposed_signature() = default;

  /// The arguments of `call` as a message. Sets `content_type` to the media type
  /// of raw arguments.
  /// @throws error_exception `bad_request` if the arguments do not fit
  virtual caf::message arguments(invocation& call,
                                 std::string& content_type) const = 0;

  /// Sets the result of `call` from what the actor answered. Raw arguments and a
  /// raw result: the media type stays.
  /// @throws error_exception `internal_error` if the actor answered something
  ///         else than it promised
  virtual void result(invocation& call, caf::message& answer,
                      std::string content_type) const = 0;
};

struct exposed_definition {
  std::string name;
  actor_factory spawn;

  /// Null: reached from C++ only.
  std::shared_ptr<const exposed_signature> signature;

  function_limits limits;
};

namespace detail {

template <class Signature>
class bound_signature;

template <class R, class... As>
class bound_signature<R(As...)> final : public exposed_signature {
public:
  caf::message arguments(invocation& call,
                         std::string& content_type) const override {
    auto typed = typed_of(call);
    auto xs = typed ? std::move(typed->arguments) : decode(call, content_type);
    return std::apply(
      [](As&... ys) { return caf::make_message(std::move(ys)...); }, xs);
  }

  void result(invocation& call, caf::message& answer,
              std::string content_type) const override {
    auto typed = typed_of(call);
    if constexpr (std::is_void_v<R>) {
      if (typed)
        typed->result.emplace();
      else
        call.set_result({"null", {}});
    } else {
      if (!answer.match_elements<R>())
        throw error_exception{
          error{errc::internal_error, effect::ran,
                "the actor answered another type than its signature says"}};
      auto x = answer.get_as<R>(0);
      if (typed)
        typed->result.emplace(std::move(x));
      else
        call.set_result(encode(x, std::move(content_type)));
    }
  }

private:
  using tuple = std::tuple<As...>;

  static typed_call<R(As...)>* typed_of(invocation& call) {
    return static_cast<typed_call<R(As...)>*>(call.typed(typeid(R(As...))));
  }

  static tuple decode(invocation& call, std::string& content_type) {
    auto body = call.take_arguments();
    if constexpr (is_raw_tuple<tuple>)
      content_type = body.content_type;
    return decode_arguments<tuple>(std::move(body));
  }

  template <class T>
  static payload encode(T& x, std::string content_type) {
    if constexpr (is_raw_tuple<tuple> && std::is_same_v<T, std::string>)
      return {std::move(x), std::move(content_type)};
    else
      return encode_result(x);
  }
};

} // namespace detail

} // namespace troupe
