// The actor that holds one entity. It claims the entity and loads its state when
// the first call comes, and runs methods one at a time. A change is committed
// while the next calls run already, and takes all those along that were made
// meanwhile; what the entity has to say waits at the output gate until the state
// that it saw is durable. So a reply is a promise, and one fsync is enough for
// many of them.
//
//   vacant -> claiming -> ready <-> (a call runs, or waits in its coroutine)
//     ^                     |
//     |                     |  beside it: commits, one after the other
//     |                     |    done:    outputs leave
//     +---------------------+    refused, failed: nothing since then happened
//     |                     v    unknown:
//     +----------------- settling: the entity is claimed again, which tells
//
// A call that changes nothing commits nothing, and is answered at once if all
// that it saw is durable.
//
// A call that shows locks is committed under them, whether it changes something
// or not. If one has moved on the commit is refused, and all that saw it fails.
// So that nobody else does, the changes that are not durable are all of calls
// which show the same locks (`work::guard`); a call that shows others begins
// when what was changed before it is durable.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include <caf/event_based_actor.hpp>

#include "actors/core/context.hpp"
#include "actors/core/route_table.hpp"
#include "actors/service/activation_slot.hpp"
#include "actors/service/call_order.hpp"
#include "actors/service/entity_state.hpp"
#include "actors/service/messages.hpp"
#include "actors/service/outbox.hpp"
#include "actors/service/outcome_book.hpp"
#include "actors/service/output_gate.hpp"
#include "actors/service/service_target.hpp"

namespace troupe {

class activation final : public caf::event_based_actor,
                         public call_host,
                         public activation_slot {
public:
  activation(caf::actor_config& cfg, service_target_ptr target,
             std::string entity_key);

  ~activation() override;

  const char* name() const override { return "activation"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

  /// Runs `call` on the thread of its caller if no other thread runs this actor
  /// now; else does nothing and returns false. From any thread.
  bool run_here(ticket_ptr& call, lender& thread);

  // -- call_host -------------------------------------------------------------

  time_point now() const noexcept override;

  void submit(invocation_ptr call, std::string_view name) override;

  void resume_after(std::chrono::nanoseconds delay, uint64_t wait) override;

  void resume(uint64_t wait, caf::execution_unit* host) noexcept override;

  const service_definition* service_of(const std::type_info& type) override;

  const service_definition* own_service() const noexcept override;

  work_time wall_time() const override;

  invocation_id send(work_request request) override;

  void withdraw(const invocation_id& sent) override;

  void erase_entity() override;

  size_t publish(const cloud_event& event) override;

  void remind(const std::string& name, work_request request) override;

  bool forget(const std::string& name) override;

  std::optional<work_time> reminder(const std::string& name) const override;

private:
  /// It uses the store no more.
  void count_end() noexcept;

  enum class phase : uint8_t {
    /// Nothing is loaded.
    vacant,
    /// The store was asked for the state.
    claiming,
    /// Calls may run.
    ready,
    /// The store is asked what became of a commit; no call begins.
    settling,
  };

  /// The call that is served.
  struct served_call {
    explicit served_call(ticket_ptr x) : ticket(std::move(x)) {}

    invocation& call() noexcept { return ticket->call(); }

    ticket_ptr ticket;
    const method_definition* method = nullptr; // null while it does not run
    time_point began;

    /// Calls to others have left.
    bool has_called = false;

    /// It waited in its coroutine.
    bool body_waited = false;

    /// When it ended the node had no right to serve it any more.
    bool lease_was_over = false;

    /// Of a call with an idempotency key.
    std::string fingerprint;

    /// The last change before it.
    uint64_t before = 0;

    /// The number of the question whether it is a repeat; 0: none.
    uint64_t lookup = 0;

    /// It is a reminder of this entity.
    bool reminded = false;

    /// It leaves no state.
    bool erases = false;

    /// What is to leave with it, and the reminders as it leaves them; nothing:
    /// as they were.
    outgoing sent;
    std::optional<reminder_table> reminders;

    std::optional<troupe::context> view;
    std::shared_ptr<const call_path> path;

    // Its frame refers to all of the above: it goes first.
    task<void> body;
  };

  /// What an entity needs only while there is something to do.
  struct work {
    call_order waiting;
    std::optional<served_call> current;
    output_gate gate;
    outcome_book outcomes;
    outbox leaving;

    /// What the calls show that have changed what is not durable.
    std::vector<lock_proof> guard;
    std::optional<route_view> routes;

    // What the claim found, and the question that is open, while it is settled
    // what became of a commit that changed no state.
    stored_state claimed;
    uint64_t lookup = 0;
  };

  // -- the store's answers ---------------------------------------------------

  /// The store has an answer. It is taken on the thread of the store, which has
  /// nothing better to do, if no other thread runs this actor now and no slow
  /// handler may follow; else it is sent as a message.
  template <class Answer>
  void hear(Answer answer);

  bool may_go_on_here() const noexcept;

  /// `thread` ran this actor, and does not any more.
  void let_go_of(lender& thread);

  // -- the queue -------------------------------------------------------------

  work& at_work();

  void receive(ticket_ptr call);

  /// Starts calls until one has to wait; then commits what they did.
  void pump();

  /// Commits once all calls that came together have run.
  void flush_with_the_turn();

  void flush();

  /// Drops the calls that nobody waits for any more.
  void sweep();

  /// Answers every call that waits.
  void refuse_waiting(const error& reason);

  /// Gives the memory back that only a busy entity needs.
  void rest();

  // -- claims ----------------------------------------------------------------

  void claim(phase why);

  void take(claim_answer& answer);

  /// The node does not own the entity any more.
  void claim_elsewhere();

  void load(const stored_state& found);

  // -- one call --------------------------------------------------------------

  /// What `call` would see that is not durable is bound to the locks that it
  /// shows itself.
  bool may_see_all(const invocation& call) const noexcept;

  void begin(ticket_ptr next);

  /// Runs what the call asks for, or answers it.
  void serve();

  /// Why the call is not executed; nothing if it is.
  std::optional<error> check_condition(const entity_call& call) const;

  /// True if the call was answered, or must wait for the store's answer: it may
  /// be a repeat.
  bool replay();

  /// Asks the store for the outcome recorded under `id`; returns the number of
  /// this question.
  uint64_t look_up(const std::string& id);

  void take(outcome_answer& answer);

  void know_if_repeat(const expected<std::optional<recorded_outcome>>& found);

  /// A method needs an object, and there is none.
  void refuse_unreadable();

  void run();

  /// The coroutine of `wait` may go on.
  void go_on(uint64_t wait);

  void end_if_done();

  /// The method has ended.
  void leave_method();

  /// Takes over what the method did to the state.
  void conclude();

  // -- what leaves with the commit (activation_work.cpp) ---------------------

  /// @throws error_exception if the call that is served cannot send
  work_outlet& outlet() const;

  /// As the call that is served has left them so far.
  const reminder_table& reminders_now() const;
  reminder_table& changed_reminders();

  bool drop_reminder(const std::string& name);

  /// The call is a reminder that was replaced or forgotten, or has come before.
  /// If it is one that is due, it is none any more once the call has ended well.
  bool is_void_reminder();

  /// The call wants no state to be left; true if there was something.
  bool leave_nothing();

  /// True if it is something that must be committed.
  bool keep_what_was_sent();

  /// What left with the commit waits.
  void tell_what_waits();

  /// If the call shows locks, what it saw and did is committed under them, also
  /// if that is nothing.
  void bind_to_locks();

  /// Keeps the call's outcome under its idempotency key, if it has one.
  void record();

  void restore();

  void replace();

  void erase();

  /// The call ended well or with the error that was set, and saw the state as it
  /// is now.
  void answer();

  /// It ended with `reason`, and saw nothing.
  void refuse(error reason);

  /// Sends `x`, or holds it.
  void emit(gated_output x);

  void send(gated_output x);

  // -- commits ---------------------------------------------------------------

  void commit();

  void take(commit_answer& answer);

  void release();

  /// What is not durable never was: everything that saw it fails with `reason`.
  void invalidate(const error& reason);

  static void fail(gated_output& x, error reason);

  // -- a commit whose outcome is unknown -------------------------------------

  void settle(claim_answer& answer);

  void settle_later(const error& reason);

  void know_if_written(const expected<std::optional<recorded_outcome>>& found);

  /// It is known whether the commit was `written`; the store has `there` now.
  void settled(bool written, const stored_state& there);

  /// It cannot be known any more.
  void lose(const stored_state& there);

  /// Answers what saw the commit that nobody knows the end of.
  void give_commit_up(const std::string& why);

  std::shared_ptr<const call_path> path();

  const service_definition& definition() const noexcept {
    return target_->definition();
  }

  caf::actor self() { return caf::actor{this}; }

  service_target_ptr target_;
  entity_state state_;
  fencing_token token_;

  /// Of the ownership that it was claimed on the grounds of.
  uint64_t epoch_ = 0;

  /// The one before it, while the entity is claimed again.
  fencing_token last_token_;

  /// The revision that the store has, or had before the commit under way.
  uint64_t base_ = 0;

  /// The revision that the commit under way leaves.
  uint64_t next_ = 0;

  uint64_t last_wait_ = 0;
  uint64_t last_lookup_ = 0;
  std::unique_ptr<work> work_;

  /// Of the thread that runs this actor now; null if it has no turns.
  turn* together_ = nullptr;

  /// At the end of a turn.
  bool flush_is_due_ = false;
  phase phase_ = phase::vacant;
};

} // namespace troupe
