// What a handler sees of the call that it serves, and how it calls others. It
// never blocks: calls from a handler are awaited.

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "actors/core/cloud_event.hpp"
#include "actors/core/invocation.hpp"
#include "actors/core/signature.hpp"
#include "actors/core/typed_call.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

class service_definition;

/// How a call that is sent is treated.
struct send_options {
  /// It does not begin before; 366 days at most.
  std::chrono::milliseconds delay{0};

  /// 0 to `work_priority_max`; higher ones come first.
  uint8_t priority = work_priority_default;

  /// Calls of the same target with the same key within a day are one call; one
  /// with other arguments is passed over. Visible ASCII; empty: none is the
  /// same.
  std::string idempotency_key{};

  /// Of a function.
  std::string routing_key{};
};

/// The arguments of a call as bytes: `arguments_of(1, "two")`.
template <class... Us>
payload arguments_of(Us&&... xs) {
  std::tuple<std::decay_t<Us>...> all{std::forward<Us>(xs)...};
  return encode_arguments(all);
}

/// What a context needs of the actor that runs the handler.
class call_host {
public:
  virtual ~call_host() = default;

  virtual time_point now() const noexcept = 0;

  /// Sends `call` to the function `name`, or to its entity if it has one; it is
  /// answered in every case.
  virtual void submit(invocation_ptr call, std::string_view name) = 0;

  /// Resumes the handler after `delay`.
  virtual void resume_after(std::chrono::nanoseconds delay, uint64_t wait) = 0;

  /// Resumes the handler. From any thread.
  virtual void resume(uint64_t wait, caf::execution_unit* host) noexcept = 0;

  /// The service whose class is `type`; null if there is none.
  virtual const service_definition* service_of(const std::type_info& type) = 0;

  // -- what only an entity has. They throw what `context` says. --------------

  /// The service that runs the handler; null if it is a function.
  virtual const service_definition* own_service() const noexcept;

  /// Wall clock.
  virtual work_time wall_time() const;

  /// The id of what is sent.
  virtual invocation_id send(work_request request);

  virtual void withdraw(const invocation_id& sent);

  virtual void erase_entity();

  /// Sends the calls that an event comes to; how many there are.
  virtual size_t publish(const cloud_event& event);

  /// @param request with what is to be called, and when
  virtual void remind(const std::string& name, work_request request);

  virtual bool forget(const std::string& name);

  virtual std::optional<work_time> reminder(const std::string& name) const;
};

namespace detail {

template <class R, class... As>
class call_awaiter;

} // namespace detail

template <class Service>
class entity_handle;

template <class Signature>
class nested_function;

/// One call as its handler sees it. Lives as long as the handler runs.
class context {
public:
  context(call_host& host, invocation& call) noexcept
    : host_(host), call_(call) {}

  context(const context&) = delete;
  context& operator=(const context&) = delete;

  // -- properties ------------------------------------------------------------

  const invocation_id& id() const noexcept { return call_.id; }

  /// When the caller stops waiting.
  time_point deadline() const noexcept { return call_.deadline; }

  /// How long the caller still waits; negative if it does not.
  std::chrono::nanoseconds remaining() const noexcept {
    return call_.deadline - host_.now();
  }

  /// The caller has given up: nobody will see a result.
  bool cancelled() const noexcept { return !call_.wanted(); }

  /// The routing key of a function call; empty if there is none.
  std::string_view routing_key() const noexcept { return call_.routing_key; }

  /// The key of the entity; empty in a function.
  std::string_view key() const noexcept {
    return call_.entity ? std::string_view{call_.entity->key}
                        : std::string_view{};
  }

  /// W3C traceparent of the caller; empty if there is none.
  std::string_view trace() const noexcept { return call_.trace; }

  // -- calls to others -------------------------------------------------------

  /// A function by name: `co_await ctx.function<int(int, int)>("add")(1, 2)`.
  template <class Signature>
  nested_function<typename signature<Signature>::type>
  function(std::string_view name) {
    return {*this, name};
  }

  /// An entity: `co_await ctx.entity<counter>("visits").call(&counter::get)`.
  template <class Service>
  entity_handle<Service> entity(std::string_view key) {
    return {*this, key};
  }

  /// Waits without holding a thread: `co_await ctx.sleep(10ms)`. Not beyond the
  /// deadline: then it throws `deadline_exceeded`, for nobody waits for more.
  auto sleep(std::chrono::nanoseconds delay) {
    struct awaiter {
      context& self;
      std::chrono::nanoseconds delay;

      bool await_ready() const noexcept { return delay.count() <= 0; }

      void await_suspend(std::coroutine_handle<> waiting) {
        auto longest = std::max(self.remaining(), std::chrono::nanoseconds{1});
        self.host_.resume_after(std::min(delay, longest),
                                self.suspend(waiting));
      }

      void await_resume() const {
        if (delay.count() > 0 && self.remaining().count() <= 0)
          throw error_exception{{errc::deadline_exceeded, effect::unknown,
                                 "the deadline passed while it slept"}};
      }
    };
    return awaiter{*this, delay};
  }

  // -- what follows this call. For methods that are not const ----------------

  /// The wall clock.
  work_time now() const { return host_.wall_time(); }

  /// Calls a function or a method later, durably: the call is accepted in the
  /// same transaction as what this one did, and only if it ends well. It is
  /// tried as queued calls are (at least once; a change of an entity comes
  /// exactly once). Nobody waits for its answer.
  ///
  ///   ctx.send({"mail"}, arguments_of(address), {.delay = 10min});
  ///   ctx.send({"counter", {}, "visits", "increment"});
  ///
  /// Returns the id of the queued call; with an idempotency key there may be
  /// another one in its place.
  /// @throws error_exception `bad_request` if the target is none, for a const
  ///         method, or if there are more than `defaults::service::sends`;
  ///         `payload_too_large`; `not_implemented` in a function, and if the
  ///         store has no queue
  invocation_id send(work_target to, payload arguments = {},
                     send_options options = {});

  /// A call that was sent, here or by an earlier call, is not wanted any more:
  /// what has not begun by the commit of this call never will; what has begun
  /// goes on.
  void withdraw(const invocation_id& sent) { host_.withdraw(sent); }

  /// Once this call has ended well, the entity has no state and no reminders any
  /// more. What it has sent goes on.
  void erase() { host_.erase_entity(); }

  /// Tells of an event: whatever the rules of the node (`--event`) say is called
  /// with it, as `send` does: durably, and only if this call ends well. An event
  /// without an id gets one that nobody has; one without a time that of now, and
  /// one without a `traceparent` that of this call.
  ///
  ///   ctx.publish({.source = "/ovens/7", .type = "com.example.hot"});
  ///
  /// @returns how many calls it came to: 0, nobody listens
  /// @throws error_exception as `send`; `bad_request` also for an event that
  ///         CloudEvents does not allow; `not_implemented` where there are no
  ///         rules
  size_t publish(cloud_event event);

  /// Has `method` of this entity called at `at`, or as soon as possible after
  /// it: a reminder. It is set in the same transaction as what this call did,
  /// and outlives everything: passivation, the node, the process. It takes the
  /// place of one of the same name; one that was replaced or forgotten does not
  /// call any more. A call that fails is tried again as queued calls are; it
  /// comes exactly once, and then the reminder is gone.
  /// @throws error_exception as `send`; `bad_request` also if the name is not
  ///         valid, if there are more than `defaults::service::reminders`, and
  ///         if the service has no such method or it is const
  void remind(std::string name, work_time at, std::string method,
              payload arguments = {});

  void remind(std::string name, std::chrono::milliseconds after,
              std::string method, payload arguments = {}) {
    remind(std::move(name), time_after(after), std::move(method),
           std::move(arguments));
  }

  /// `ctx.remind("tea", 4min, &kitchen::ring, "it is ready")`.
  template <class When, class Pointer, class... Us>
  requires std::is_member_function_pointer_v<Pointer>
  void remind(std::string name, When when, Pointer method, Us&&... xs);

  /// False if there was none.
  bool forget(const std::string& name) { return host_.forget(name); }

  /// When the reminder of that name is due; nothing if there is none.
  std::optional<work_time> reminder(const std::string& name) const {
    return host_.reminder(name);
  }

  // -- for the actor that runs the handler -----------------------------------

  /// Remembers who waits; returns the number of this wait.
  uint64_t suspend(std::coroutine_handle<> waiting) noexcept {
    waiting_ = waiting;
    return ++wait_;
  }

  /// Lets the coroutine go on if it is still in that wait.
  bool resume(uint64_t wait) {
    if (wait != wait_ || !waiting_)
      return false;
    std::exchange(waiting_, nullptr).resume();
    return true;
  }

  call_host& host() noexcept { return host_; }

  const invocation& call() const noexcept { return call_; }

  /// @throws error_exception `bad_request` if it is more than 366 days, or less
  ///         than none
  work_time time_after(std::chrono::milliseconds delay) const;

  /// Waits of an earlier call on the same host must not resume this one.
  void first_wait(uint64_t wait) noexcept { wait_ = wait; }

  uint64_t last_wait() const noexcept { return wait_; }

private:
  call_host& host_;
  invocation& call_;
  std::coroutine_handle<> waiting_;
  uint64_t wait_ = 0;
};

namespace detail {

/// Waits for one nested call. Lives in the frame of the coroutine that awaits.
template <class R, class... As>
class call_awaiter final : public reply_port {
public:
  using call_type = typed_invocation<R(As...)>;

  call_awaiter(context& self, std::string name,
               caf::intrusive_ptr<call_type> call)
    : self_(self), name_(std::move(name)), call_(std::move(call)) {}

  call_awaiter(const call_awaiter&) = delete;

  ~call_awaiter() override {
    // The frame dies with its actor while the call is under way: no answer may
    // touch it any more.
    if (submitted_ && !call_->abandon())
      while (!done_.load(std::memory_order_acquire))
        std::this_thread::yield();
  }

  bool await_ready() {
    call_->port = this;
    submitted_ = true;
    self_.host().submit(call_, name_);
    return state_.load(std::memory_order_acquire) == state::answered;
  }

  bool await_suspend(std::coroutine_handle<> waiting) noexcept {
    wait_ = self_.suspend(waiting);
    return state_.exchange(state::suspended) != state::answered;
  }

  R await_resume() {
    if (auto reason = call_->failure()) {
      auto raised = *reason;
      // The outer handler did run, whatever became of its call.
      if (raised.what_happened() == effect::none)
        raised.with_effect(effect::ran);
      throw error_exception{std::move(raised)};
    }
    if constexpr (!std::is_void_v<R>)
      return call_->take_result();
  }

  void answered(invocation&, caf::execution_unit* host) noexcept override {
    if (state_.exchange(state::answered) == state::suspended)
      self_.host().resume(wait_, host);
    done_.store(true, std::memory_order_release);
  }

private:
  enum class state : uint8_t { open, suspended, answered };

  context& self_;
  std::string name_;
  caf::intrusive_ptr<call_type> call_;
  bool submitted_ = false;
  uint64_t wait_ = 0;
  std::atomic<state> state_{state::open};
  std::atomic<bool> done_{false};
};

/// A nested call with what it inherits from the outer one.
template <class R, class... As, class... Us>
caf::intrusive_ptr<typed_invocation<R(As...)>>
make_nested(context& outer, R (*)(As...), Us&&... xs) {
  auto call =
    caf::make_counted<typed_invocation<R(As...)>>(std::forward<Us>(xs)...);
  call->submitted = outer.host().now();
  call->deadline = outer.deadline();
  call->trace = std::string{outer.trace()};
  call->id = {outer.id().high, outer.id().low};
  call->path = outer.call().path;
  return call;
}

} // namespace detail

template <class R, class... As>
class nested_function<R(As...)> {
public:
  nested_function(context& self, std::string_view name)
    : self_(self), name_(name) {}

  template <class... Us>
  requires(sizeof...(Us) == sizeof...(As)) auto operator()(Us&&... xs) const {
    using pointer = R (*)(As...);
    return detail::call_awaiter<R, As...>{
      self_, name_,
      detail::make_nested(self_, pointer{}, std::forward<Us>(xs)...)};
  }

  /// How calls that are sent are treated.
  nested_function& with(send_options options) {
    options_ = std::move(options);
    return *this;
  }

  /// Calls it later; see `context::send`.
  template <class... Us>
  requires(sizeof...(Us) == sizeof...(As)) void send(Us&&... xs) const {
    std::tuple<As...> all{std::forward<Us>(xs)...};
    self_.send({name_}, encode_arguments(all), options_);
  }

private:
  context& self_;
  std::string name_;
  send_options options_;
};

} // namespace troupe
