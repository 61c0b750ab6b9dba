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

  /// @throws error_exception `bad_request` if the arguments do not fit
  virtual caf::message arguments(invocation& call) const = 0;

  /// @throws error_exception `internal_error` if the actor answered something
  ///         else than it promised
  virtual void result(invocation& call, caf::message& answer) const = 0;
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
  caf::message arguments(invocation& call) const override {
    using tuple = std::tuple<As...>;
    auto typed = static_cast<typed_call<R(As...)>*>(
      call.typed(typeid(R(As...))));
    auto xs = typed ? std::move(typed->arguments)
                    : decode_arguments<tuple>(call.take_arguments());
    return std::apply(
      [](As&... ys) { return caf::make_message(std::move(ys)...); }, xs);
  }

  void result(invocation& call, caf::message& answer) const override {
    auto typed = static_cast<typed_call<R(As...)>*>(
      call.typed(typeid(R(As...))));
    if constexpr (std::is_void_v<R>) {
      if (typed)
        typed->result.emplace();
      else
        call.set_result({"null", {}});
    } else {
      if (!answer.match_elements<R>())
        throw error_exception{error{
          errc::internal_error, effect::ran,
          "the actor answered another type than its signature says"}};
      auto x = answer.get_as<R>(0);
      if (typed)
        typed->result.emplace(std::move(x));
      else
        call.set_result(encode_result(x));
    }
  }
};

} // namespace detail

} // namespace troupe
