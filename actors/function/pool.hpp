// The instances of one function version on one node. It makes them when calls
// wait, retires them when they were idle, replaces those that died, and takes
// the version out of service when they die too often. Callers meet it only when
// no slot is free: see function_target.hpp.

#pragma once

#include <deque>

#include <caf/event_based_actor.hpp>

#include "actors/core/tree.hpp"
#include "actors/function/function_target.hpp"
#include "actors/model/quarantine.hpp"

namespace troupe {

struct pool_options {
  /// Instances that were idle for so long are retired.
  std::chrono::nanoseconds idle_time = defaults::function::idle_time;

  quarantine_options quarantine = default_quarantine();

  static quarantine_options default_quarantine();
};

/// Understands (describe), (drain); see core/interfaces.hpp.
class pool_actor final : public caf::event_based_actor {
public:
  pool_actor(caf::actor_config& cfg, function_target_ptr target,
             pool_options options);

  const char* name() const override { return "pool"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

private:
  void enqueue(invocation_ptr call);

  /// Hands waiting calls to free slots, and makes slots while there are calls.
  void pump();

  /// The first call of the queue that somebody still waits for.
  invocation_ptr next_call();

  /// A claimed slot: a free one, or a new one if there may be more.
  std::optional<size_t> acquire_slot();

  std::optional<size_t> spawn_instance();

  void refuse_queue();

  /// An instance ended.
  void lost(const caf::down_msg& msg);

  void follow_quarantine();

  /// The probe's call came to its end: the version is back in service.
  void check_probe();

  /// Ends the idle instance in `index`, whose slot is claimed.
  void retire(size_t index);

  void retire_idle();

  void arm_tick();

  void drain();

  void leave_if_drained();

  tree_node describe() const;

  function_target_ptr target_;
  pool_options options_;
  quarantine quarantine_;
  std::deque<invocation_ptr> queue_;
  std::optional<size_t> probe_;
  std::string last_reason_;
  bool ticking_ = false;
  bool draining_ = false;
};

} // namespace troupe
