// A typed handle of a function: the name is looked up once, arguments and result
// keep their types, and the call costs about as much as a message between two
// actors.

#pragma once

#include <string>
#include <utility>

#include <caf/response_handle.hpp>
#include <caf/scheduled_actor.hpp>

#include "actors/core/caf_error.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/submit.hpp"
#include "actors/core/typed_call.hpp"
#include "actors/routing/call_port.hpp"
#include "nodes/blocking_port.hpp"
#include "nodes/future.hpp"
#include "nodes/queued_calls.hpp"

namespace troupe {

namespace detail {

/// A call whose answer goes to a CAF actor as the answer of a request.
template <class Signature>
class actor_invocation;

template <class R, class... As>
class actor_invocation<R(As...)> final : public typed_invocation<R(As...)>,
                                         public reply_port {
public:
  template <class... Us>
  actor_invocation(caf::strong_actor_ptr caller, caf::message_id answer,
                   Us&&... xs)
    : typed_invocation<R(As...)>(std::forward<Us>(xs)...),
      caller_(std::move(caller)), answer_(answer) {
    this->port = this;
  }

  void answered(invocation&, caf::execution_unit* host) noexcept override {
    if (auto reason = this->failure())
      send(host, to_caf_error(*reason));
    else if constexpr (std::is_void_v<R>)
      send(host, caf::unit);
    else
      send(host, this->take_result());
  }

private:
  template <class T>
  void send(caf::execution_unit* host, T&& content) {
    caller_->enqueue(
      caf::make_mailbox_element(nullptr, answer_, {}, std::forward<T>(content)),
      host);
  }

  caf::strong_actor_ptr caller_;
  caf::message_id answer_;
};

} // namespace detail

template <class Signature>
class function_handle;

/// Not thread-safe: give each thread a copy.
template <class R, class... As>
class function_handle<R(As...)> {
public:
  using result_type = R;

  /// @param queue for durable calls; null: there are none. Outlives it
  function_handle(call_port port, std::string name, dispatcher* queue = nullptr)
    : port_(port), name_(std::move(name)), queue_(queue) {}

  /// Ends calls after `longest`, or after the function's own time if that is
  /// shorter.
  function_handle& timeout(std::chrono::milliseconds longest) {
    timeout_ = longest;
    return *this;
  }

  /// Calls and waits. For plain threads: in an actor use `request`, in a handler
  /// `context::function`. Errors: core/errors.hpp.
  expected<R> operator()(As... xs) {
    auto target = find();
    if (!target)
      return target.error();
    auto call = caf::make_counted<typed_invocation<R(As...)>>(std::move(xs)...);
    blocking_port waiter;
    call->port = &waiter;
    port_.prepare(*call, **target, timeout_);
    lender thread{port_.system(), nullptr, port_.environment().lend};
    (*target)->submit(call, thread);
    if (auto late = waiter.wait(*call))
      return *std::move(late);
    return outcome(*call);
  }

  /// Calls and gives a future at once.
  future<R> call(As... xs) {
    auto target = find();
    if (!target)
      return future<R>{target.error()};
    auto call =
      caf::make_counted<detail::future_invocation<R(As...)>>(std::move(xs)...);
    port_.prepare(*call, **target, timeout_);
    submit_watched(port_.environment(), **target, call, port_.system(),
                   nullptr);
    return future<R>{std::move(call)};
  }

  /// Queues a durable call, and waits until it is on disk:
  /// `add.async(1, 2, {.delay = 5min})`. `runtime::queued` says what became of it.
  expected<queued_call> async(As... xs, async_options options = {}) {
    auto target = find();
    if (!target)
      return target.error();
    return queue_call(
      queue_, {name_},
      caf::make_counted<typed_invocation<R(As...)>>(std::move(xs)...)
        ->copy_arguments(),
      options);
  }

  /// Calls from inside a CAF actor, whose `then` gets the answer:
  /// `add.request(self, 1, 2).then([](int sum) {...}, [](caf::error& e) {...})`.
  /// `to_error` turns the `caf::error` back into one of ours.
  template <class Self>
  auto request(Self* self, As... xs) {
    using output =
      std::conditional_t<std::is_void_v<R>, caf::detail::type_list<caf::unit_t>,
                         caf::detail::type_list<R>>;
    auto answer =
      self->new_request_id(caf::message_priority::normal).response_id();
    auto call = caf::make_counted<detail::actor_invocation<R(As...)>>(
      self->ctrl(), answer, std::move(xs)...);
    auto target = find();
    if (target) {
      port_.prepare(*call, **target, timeout_);
      submit_watched(port_.environment(), **target, std::move(call),
                     port_.system(), self->context());
    } else {
      call->finish(target.error(), self->context());
    }
    return caf::response_handle<Self, output, false>{answer, self};
  }

private:
  static expected<R> outcome(typed_invocation<R(As...)>& call) {
    if (auto reason = call.failure())
      return *reason;
    if constexpr (std::is_void_v<R>)
      return {};
    else
      return call.take_result();
  }

  /// The cached target, unless the routes have changed.
  expected<call_target*> find() {
    if (auto version = port_.routes_version(); version != version_) {
      auto found = port_.function(name_);
      if (!found)
        return found.error();
      target_ = std::move(*found);
      version_ = version;
    }
    return target_.get();
  }

  call_port port_;
  std::string name_;
  dispatcher* queue_;
  std::optional<std::chrono::milliseconds> timeout_;
  call_target_ptr target_;
  uint64_t version_ = 0;
};

} // namespace troupe
