// The answer of a call that somebody fetches later.

#pragma once

#include <condition_variable>
#include <mutex>

#include "actors/core/expected.hpp"
#include "actors/core/typed_call.hpp"

namespace troupe {

namespace detail {

/// What a future waits on: becomes true once.
class latch_port : public reply_port {
public:
  void answered(invocation&, caf::execution_unit*) noexcept override {
    std::lock_guard guard{mutex_};
    done_ = true;
    changed_.notify_all();
  }

  /// False if it is not there at `until`.
  bool wait_until(time_point until) {
    std::unique_lock guard{mutex_};
    return changed_.wait_until(guard, until, [this] { return done_; });
  }

  void wait() {
    std::unique_lock guard{mutex_};
    changed_.wait(guard, [this] { return done_; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

template <class Signature>
class future_invocation;

template <class R, class... As>
class future_invocation<R(As...)> final : public typed_invocation<R(As...)>,
                                          public latch_port {
public:
  template <class... Us>
  explicit future_invocation(Us&&... xs)
    : typed_invocation<R(As...)>(std::forward<Us>(xs)...) {
    this->port = this;
  }
};

} // namespace detail

/// The answer of one call. The call ends at its deadline, so `get` returns by
/// then. Destroying a future gives the call up.
template <class R>
class [[nodiscard]] future {
public:
  explicit future(error reason) : refused_(std::move(reason)) {}

  template <class... As>
  explicit future(caf::intrusive_ptr<detail::future_invocation<R(As...)>> call)
    : call_(call), latch_(call.get()), take_([](invocation& x) -> expected<R> {
        auto& y = static_cast<typed_invocation<R(As...)>&>(x);
        if constexpr (std::is_void_v<R>)
          return {};
        else
          return y.take_result();
      }) {}

  future(future&&) noexcept = default;
  future& operator=(future&&) noexcept = default;

  ~future() {
    if (call_)
      call_->abandon();
  }

  /// The answer is there.
  bool ready() const noexcept { return !call_ || call_->answered(); }

  /// Waits for the answer, at most until the call's deadline. Call it once.
  expected<R> get() {
    if (refused_)
      return *refused_;
    latch_->wait();
    auto call = std::exchange(call_, nullptr);
    if (auto reason = call->failure())
      return *reason;
    return take_(*call);
  }

private:
  std::optional<error> refused_;
  invocation_ptr call_;
  detail::latch_port* latch_ = nullptr;
  expected<R> (*take_)(invocation&) = nullptr;
};

} // namespace troupe
