// The actor that holds one entity. It loads the state when the first call
// comes, runs methods one at a time, and answers a call that changed the state
// only once the change is durable: a reply is a promise. While a call waits
// (for the store, or in a coroutine) the entity is held, and the next ones wait
// behind it.
//
//   vacant -> loading -> idle -> running -> committing -> idle
//                                               |
//                                 refused: vacant, loaded anew
//                                 failed:  idle, back at the snapshot
//                                 unknown: settling, until the store tells
//
// Calls after a refused or unknown commit never see a state of which it is not
// known that it is durable.

#pragma once

#include <list>
#include <optional>
#include <string>

#include <caf/event_based_actor.hpp>

#include "actors/core/context.hpp"
#include "actors/core/route_table.hpp"
#include "actors/service/entity_state.hpp"
#include "actors/service/messages.hpp"
#include "actors/service/service_target.hpp"

namespace troupe {

class activation final : public caf::event_based_actor, public call_host {
public:
  activation(caf::actor_config& cfg, service_target_ptr target, std::string key,
             activation_record_ptr record);

  ~activation() override;

  const char* name() const override { return "activation"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

  // -- call_host -------------------------------------------------------------

  time_point now() const noexcept override;

  void submit(invocation_ptr call, std::string_view name) override;

  void resume_after(std::chrono::nanoseconds delay, uint64_t wait) override;

  void resume(uint64_t wait, caf::execution_unit* host) noexcept override;

  const service_definition* service_of(const std::type_info& type) override;

private:
  enum class phase : uint8_t {
    /// Nothing is loaded.
    vacant,
    /// The store was asked for the state.
    loading,
    /// No call is in it.
    idle,
    /// A method runs, or waits in its coroutine.
    running,
    /// The store was asked to commit what the method did.
    committing,
    /// The store is asked what became of the commit.
    settling,
  };

  // -- the queue -------------------------------------------------------------

  /// Starts calls until one has to wait.
  void pump();

  /// Drops the calls that nobody waits for any more.
  void sweep();

  /// Answers every call that waits.
  void refuse_queue(const error& reason);

  // -- loading ---------------------------------------------------------------

  void begin_load(phase why);

  void loaded(load_answer& answer);

  // -- one call --------------------------------------------------------------

  void begin(ticket_ptr next);

  /// Why the method does not run; nothing if it does.
  std::optional<error> refuse(const entity_call& call);

  void run();

  /// The coroutine of `wait` may go on.
  void go_on(uint64_t wait);

  void end_if_done();

  void commit_if_changed();

  void committed(commit_outcome outcome);

  /// The pending change is durable.
  void committed_for_sure();

  // -- a commit whose outcome is unknown
  // ---------------------------------------

  void settle(load_answer& answer);

  void settle_later(const error& reason);

  // -- its end ---------------------------------------------------------------

  /// Back to the snapshot.
  void restore();

  /// Back to the snapshot, and the answer is `reason`.
  void roll_back(error reason);

  /// The state must be loaded anew, and the answer is `reason`.
  void give_up(error reason);

  /// The answer saw the state as it is now.
  void answer();

  void answer(error reason);

  std::shared_ptr<const call_path> path();

  caf::actor self() { return caf::actor{this}; }

  service_target_ptr target_;
  std::string key_;
  activation_record_ptr record_;
  entity_state state_;
  fencing_token token_;
  phase phase_ = phase::vacant;
  std::list<ticket_ptr> queue_; // costs nothing while it is empty
  ticket_ptr current_;
  const method_definition* method_ = nullptr;
  time_point began_;
  bool has_called_ = false; // the method has called others
  std::optional<troupe::context> view_;
  task<void> task_;
  uint64_t last_wait_ = 0;
  std::shared_ptr<const call_path> path_;
  std::string pending_; // the state that is being committed
  route_view routes_;
};

} // namespace troupe
