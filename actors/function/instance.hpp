// Runs the handler of one function version, one call at a time. Exceptions are
// caught and answered here; only its exit ends an instance.

#pragma once

#include <optional>

#include <caf/event_based_actor.hpp>

#include "actors/core/context.hpp"
#include "actors/core/route_table.hpp"
#include "actors/function/function_target.hpp"

namespace troupe {

class instance final : public caf::event_based_actor, public call_host {
public:
  instance(caf::actor_config& cfg, function_target_ptr target, size_t index);

  ~instance() override;

  const char* name() const override { return "instance"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

  /// Runs `call` on the thread of its caller if this actor is idle: then its
  /// mailbox is blocked, and whoever unblocks it may run the actor, as a worker
  /// of the scheduler does. False, and nothing happened, if it is not.
  bool run_here(invocation_ptr& call, lender& thread);

  // -- call_host -------------------------------------------------------------

  time_point now() const noexcept override;

  void submit(invocation_ptr call, std::string_view name) override;

  void resume_after(std::chrono::nanoseconds delay, uint64_t wait) override;

  void resume(uint64_t wait, caf::execution_unit* host) noexcept override;

  const service_definition* service_of(const std::type_info& type) override;

private:
  /// Takes the call out of the slot and runs it.
  void take();

  /// Runs `call` until it ends or waits. True if it ended.
  bool begin(invocation_ptr call, int64_t began);

  /// The coroutine of `wait` may go on.
  void go_on(uint64_t wait);

  /// Takes the result of a handler that ended; false if it waits.
  bool end_if_done(int64_t segment_began);

  /// Earns or loses the trust that lets it run on lent threads.
  void judge(int64_t segment_ns) noexcept;

  /// Frees the slot, then answers: a caller that calls again finds it free.
  void answer(caf::execution_unit* host);

  function_target_ptr target_;
  size_t index_;
  slot& slot_;
  invocation_ptr call_;
  std::optional<troupe::context> view_;
  task<void> task_;
  uint64_t last_wait_ = 0;
  route_view routes_;
};

} // namespace troupe
