// The instances of one function version on one node. It makes them when calls
// wait, retires them when they were idle, replaces those that died, and takes
// the version out of service when they die too often. Callers meet it only when
// no slot is free: see function_target.hpp.

#pragma once

#include <deque>

#include <caf/event_based_actor.hpp>

#include "actors/core/tree.hpp"
#include "actors/function/admitted_call.hpp"
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
  /// Takes over the instances of a pool that ended: they were told to exit.
  void adopt();

  // -- calls -----------------------------------------------------------------

  void enqueue(admitted_call_ptr call);

  /// Hands waiting calls to free slots, and makes slots while there are calls.
  void pump();

  /// There is a call, and the first one may still start. Others are answered.
  bool is_next_timely();

  /// The call may still start. If not, it is answered.
  bool is_timely(admitted_call& x);

  /// Drops calls that nobody waits for any more, wherever they are in the queue.
  void sweep();

  /// A claimed slot: a free one, or a new one if there may be more.
  std::optional<size_t> acquire_slot();

  std::optional<size_t> spawn_instance();

  void spawn_into(slot& x, size_t index);

  void refuse_queue();

  // -- death and quarantine --------------------------------------------------

  /// An instance ended.
  void lost(const caf::down_msg& msg);

  /// The slot of the live instance `source`.
  std::optional<size_t> find(const caf::actor_addr& source) const;

  /// The instance in `index` ended.
  void vacate(size_t index);

  void follow_quarantine();

  /// The probe's call came to its end: the version is back in service.
  void check_probe();

  /// Whether all calls come here and all slots that are freed wake us.
  void hold(bool wanted);

  // -- idle and leaving ------------------------------------------------------

  /// Ends the idle instance in `index`, whose slot is claimed.
  void retire(size_t index);

  void retire_free();

  void retire_idle();

  void arm_tick();

  void drain();

  void leave_if_drained();

  tree_node describe() const;

  function_target_ptr target_;
  pool_options options_;
  quarantine quarantine_;
  std::deque<admitted_call_ptr> queue_;
  std::optional<size_t> probe_;
  uint64_t calls_before_probe_ = 0;
  size_t occupied_ = 0; // slots with a handle
  size_t ended_ = 0;    // and those of them whose instance ended
  std::string last_reason_;
  bool held_ = false;
  bool ticking_ = false;
  bool sweeping_ = false;
  bool draining_ = false;
};

} // namespace troupe
