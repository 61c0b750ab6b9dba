#include "actors/service/activation.hpp"

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/missing.hpp"
#include "actors/core/submit.hpp"
#include "actors/service/if_match.hpp"

namespace troupe {

namespace {

/// Messages that an actor handles on a lent thread before it goes to the
/// scheduler.
constexpr size_t messages_per_loan = 64;

error may_not_serve() {
  return {errc::not_owner,
          "the node's lease is over, or the entity is elsewhere"};
}

} // namespace

activation::activation(caf::actor_config& cfg, service_target_ptr target,
                       std::string entity_key)
  : caf::event_based_actor(cfg),
    activation_slot(entity_key, target->shard_of(entity_key), ctrl()),
    target_(std::move(target)) {
  target_->budget().alive.fetch_add(1);
}

activation::~activation() {
  if (!gone.load())
    count_end();
}

void activation::count_end() noexcept {
  auto& alive = target_->budget().alive;
  alive.fetch_sub(1);
  alive.notify_all();
}

caf::behavior activation::make_behavior() {
  return {
    [this](entity_message& msg) { receive(std::move(msg.call)); },
    [this](commit_answer& msg) { take(msg); },
    [this](claim_answer& msg) { take(msg); },
    [this](outcome_answer& msg) { take(msg); },
    [this](atom::resume, uint64_t wait) { go_on(wait); },
    [this](atom::tick) {
      claim(phase::settling);
      pump();
    },
    [this](atom::run) { flush(); },
    [this](atom::wake) { sweep(); },
  };
}

void activation::on_exit() {
  gone.store(true);
  method.store(nullptr);
  if (work_ && work_->current && work_->current->method)
    target_->left_method((now() - work_->current->began).count(), true);
  if (state_.loaded() && state_.revision() == 0)
    target_->store().release({definition().name, key}, token_);
  // The tickets answer.
  work_ = nullptr;
  // From here on there may be no store.
  count_end();
}

bool activation::run_here(ticket_ptr& call, lender& thread) {
  if (!mailbox().try_unblock())
    return false;
  context(&thread);
  together_ = thread.together();
  receive(std::move(call));
  together_ = nullptr;
  let_go_of(thread);
  return true;
}

void activation::let_go_of(lender& thread) {
  context(nullptr);
  // From here on another thread may run this actor, and end it; whoever called
  // keeps it.
  if (mailbox().try_block())
    return;
  intrusive_ptr_add_ref(ctrl());
  // Others have sent something meanwhile, and went on.
  auto next = target_->is_quick()
                ? caf::event_based_actor::resume(&thread, messages_per_loan)
                : caf::resumable::resume_later;
  if (next == caf::resumable::resume_later)
    thread.exec_later(this);
  else
    intrusive_ptr_release(ctrl());
}

// -- the queue ---------------------------------------------------------------

activation::work& activation::at_work() {
  if (!work_)
    work_ = std::make_unique<work>();
  return *work_;
}

void activation::receive(ticket_ptr call) {
  auto& x = at_work();
  std::optional<call_root> holder;
  if (x.current && call->call().path)
    holder = x.current->call().root();
  if (x.waiting.add(call, holder))
    pump();
  else
    call->finish({errc::busy_retry, definition().name + "/" + key
                                      + " serves a call that began earlier"},
                 context());
}

void activation::pump() {
  auto& x = at_work();
  while (!x.current && !x.waiting.empty()) {
    if (phase_ == phase::vacant)
      claim(phase::claiming);
    if (phase_ != phase::ready)
      break;
    if (!state_.loaded() || target_->epoch(shard) != epoch_) {
      // Its class could not read it, or its shard was elsewhere meanwhile: the
      // store decides, once all is durable.
      if (!x.gate.clean())
        break;
      state_.unload();
      phase_ = phase::vacant;
      continue;
    }
    if (!may_see_all(x.waiting.front()) || x.leaving.full())
      break;
    begin(x.waiting.next());
  }
  if (phase_ == phase::ready && x.gate.wants_commit() && !flush_is_due_) {
    if (together_)
      flush_with_the_turn();
    else
      commit();
  }
  rest();
}

void activation::flush_with_the_turn() {
  flush_is_due_ = true;
  together_->put_off([this, keep = activation_ref{this}](lender& thread) {
    if (!mailbox().try_unblock()) {
      enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                        atom::run::value),
              nullptr);
      return;
    }
    context(&thread);
    flush();
    let_go_of(thread);
  });
}

void activation::flush() {
  flush_is_due_ = false;
  pump();
}

void activation::sweep() {
  if (!work_)
    return;
  for (auto& x : work_->waiting.take_if(false))
    x->finish(context());
}

void activation::refuse_waiting(const error& reason) {
  for (auto& x : at_work().waiting.take_if(true))
    if (reason == errc::not_owner)
      x->turn_away(reason, context());
    else
      x->finish(reason, context());
}

void activation::rest() {
  auto& x = *work_;
  if (!x.current && x.waiting.empty() && x.gate.empty() && x.gate.clean()
      && !x.gate.committing() && phase_ != phase::settling)
    work_ = nullptr;
}

// -- one call ----------------------------------------------------------------

bool activation::may_see_all(const invocation& call) const noexcept {
  return work_->gate.clean() || call.entity->locks == work_->guard;
}

void activation::begin(ticket_ptr next) {
  auto& call = next->call();
  if (!next->start()) {
    next->finish(context());
    return;
  }
  auto time = now();
  if (time >= call.deadline) {
    target_->count_late();
    next->finish({errc::deadline_exceeded, "the deadline passed in the queue"},
                 context());
    return;
  }
  if (!target_->may_serve(shard, epoch_, time)) {
    next->turn_away(may_not_serve(), context());
    return;
  }
  auto& x = at_work().current.emplace(std::move(next));
  x.began = time;
  x.before = work_->gate.last();
  if (work_->gate.clean())
    work_->guard = call.entity->locks;
  auto& repeat = call.entity->idempotency_key;
  if (repeat.empty() || reminder_of(repeat) || !replay())
    serve();
}

bool activation::replay() {
  auto& x = *work_->current;
  auto& to = *x.call().entity;
  if (auto code = definition().find(to.method); code && code->is_const)
    return false;
  try {
    x.fingerprint = call_fingerprint(x.call());
  } catch (...) {
    refuse(error::from_exception(std::current_exception()));
    return true;
  }
  if (auto first = work_->outcomes.find(to.idempotency_key)) {
    replay_outcome(x.call(), x.fingerprint, *first);
    answer();
    return true;
  }
  x.lookup = look_up(to.idempotency_key);
  return true;
}

std::optional<error>
activation::check_condition(const entity_call& call) const {
  if (call.if_match.empty())
    return std::nullopt;
  switch (check_if_match(call.if_match, state_.revision(), state_.exists())) {
  case if_match::holds:
    return std::nullopt;
  case if_match::malformed:
    return error{errc::bad_request,
                 "If-Match is a list of quoted revisions, or *"};
  case if_match::differs:
    break;
  }
  return error{errc::revision_mismatch,
               state_.exists()
                 ? "the revision is " + std::to_string(state_.revision())
                 : call.service + '/' + call.key + " has no state"};
}

void activation::serve() {
  auto& x = *work_->current;
  auto& to = *x.call().entity;
  const method_definition* code = nullptr;
  if (to.operation == entity_operation::call) {
    if (state_.unreadable()) {
      refuse_unreadable();
      return;
    }
    if (is_void_reminder()) {
      x.call().set_result({"null", {}});
      answer();
      return;
    }
    code = definition().find(to.method);
    if (!code) {
      refuse(missing_method(definition(), to.method));
      return;
    }
  }
  if (auto reason = check_condition(to)) {
    x.call().fail(std::move(*reason));
    answer();
    return;
  }
  switch (to.operation) {
  case entity_operation::call:
    x.method = code;
    run();
    break;
  case entity_operation::replace:
    replace();
    break;
  case entity_operation::erase:
    erase();
    break;
  }
}

void activation::refuse_unreadable() {
  auto why = *state_.unreadable();
  // The next call looks again.
  state_.unload();
  phase_ = phase::vacant;
  refuse(std::move(why));
}

void activation::run() {
  auto& x = *work_->current;
  target_->entered_method();
  running_since.store(x.began.time_since_epoch().count(),
                      std::memory_order_relaxed);
  method.store(x.method, std::memory_order_relaxed);
  x.view.emplace(*this, x.call());
  x.view->first_wait(last_wait_);
  try {
    x.body = x.method->code->run(state_.object(), *x.view, x.call());
    if (x.body) {
      x.body.start();
      if (!x.body.done()) {
        x.body_waited = true;
        target_->judge((now() - x.began).count());
      }
    }
  } catch (...) {
    x.call().fail(error::from_exception(std::current_exception()));
  }
  end_if_done();
}

void activation::go_on(uint64_t wait) {
  if (!work_ || !work_->current || !work_->current->view
      || !work_->current->view->resume(wait))
    return;
  end_if_done();
  pump();
}

void activation::end_if_done() {
  auto& x = *work_->current;
  if (!x.body.done())
    return;
  if (x.body) {
    try {
      x.body.take();
    } catch (...) {
      x.call().fail(error::from_exception(std::current_exception()));
    }
    x.body = {};
  }
  last_wait_ = x.view->last_wait();
  auto writes = !x.method->is_const || x.reminded;
  leave_method();
  if (writes)
    conclude();
  bind_to_locks();
  answer();
}

void activation::leave_method() {
  auto& x = *work_->current;
  auto ended = now();
  auto length = (ended - x.began).count();
  if (!x.body_waited)
    target_->judge(length);
  target_->left_method(length, x.call().has_failed());
  // A commit is fenced by its token, but what only reads is not.
  if (!x.call().has_failed() && !target_->may_answer(shard, epoch_, ended))
    x.lease_was_over = true;
  x.method = nullptr;
  method.store(nullptr, std::memory_order_relaxed);
}

void activation::conclude() {
  auto& x = *work_->current;
  auto& gate = work_->gate;
  if (!x.call().has_failed()) {
    try {
      auto has_changed = x.erases ? leave_nothing() : state_.advance();
      if (keep_what_was_sent()) {
        if (!has_changed)
          state_.raise();
        has_changed = true;
      }
      if (has_changed)
        gate.changed();
    } catch (...) {
      x.call().fail(error::from_exception(std::current_exception()));
    }
  }
  if (x.call().has_failed())
    restore();
  record();
}

void activation::bind_to_locks() {
  auto& x = *work_->current;
  auto& gate = work_->gate;
  if (!x.call().entity->locks.empty() && !x.call().has_failed()
      && gate.last() == x.before)
    gate.changed();
}

void activation::record() {
  auto& x = *work_->current;
  auto& gate = work_->gate;
  auto reason = x.call().pending_failure();
  if (x.fingerprint.empty())
    return;
  // What had no effect may be tried again; and queued work, when it failed.
  if (reason
      && (is_work_key(x.call().entity->idempotency_key)
          || (reason->what_happened() == effect::none && !x.has_called)))
    return;
  x.call().revision = state_.revision();
  gate.changed();
  work_->outcomes.add(record_outcome(x.call(), x.fingerprint), gate.last());
}

void activation::restore() {
  try {
    state_.restore(definition());
  } catch (...) {
    // There is no object now; see `pump`.
  }
}

void activation::replace() {
  auto& x = *work_->current;
  auto& to = *x.call().entity;
  try {
    auto state = x.call().take_arguments();
    if (state_.replace(definition(), state.bytes,
                       to.schema > 0 ? to.schema : definition().schema()))
      work_->gate.changed();
    x.call().set_result({"null", {}});
  } catch (const error_exception& e) {
    x.call().fail(error{e.reason()}.with_effect(effect::none));
  } catch (const std::exception& e) {
    x.call().fail({errc::bad_request, "this is no state of '"
                                        + definition().name
                                        + "': " + std::string{plain_text(e)}});
  } catch (...) {
    x.call().fail(
      {errc::bad_request, "this is no state of '" + definition().name + "'"});
  }
  record();
  bind_to_locks();
  answer();
}

void activation::erase() {
  auto& x = *work_->current;
  try {
    if (!state_.exists() && state_.reminders().empty())
      throw error_exception{
        {errc::not_found, definition().name + "/" + key + " has no state"}};
    for (auto& [name, reminder] : state_.reminders().entries())
      x.sent.withdrawn.push_back(reminder.id);
    state_.erase(definition());
    work_->leaving.add(std::move(x.sent));
    work_->gate.changed();
    x.call().set_result({"null", {}});
  } catch (...) {
    // There is none, or the class cannot be made anew.
    auto reason = error::from_exception(std::current_exception());
    x.call().fail(reason.with_effect(effect::none));
  }
  record();
  bind_to_locks();
  answer();
}

void activation::answer() {
  auto& x = *work_->current;
  auto& call = x.call();
  if (x.lease_was_over && work_->gate.clean())
    call.fail(may_not_serve());
  if (auto reason = call.pending_failure();
      reason && x.has_called && reason->what_happened() == effect::none)
    // What the others did stays done: a repeat is not safe.
    call.fail(error{*reason}.with_effect(effect::ran));
  else if (!reason && !call.revision)
    call.revision = state_.revision();
  gated_output output;
  output.saw = work_->gate.last();
  output.answer = std::move(x.ticket);
  output.has_called = x.has_called;
  work_->current.reset();
  emit(std::move(output));
}

void activation::refuse(error reason) {
  auto call = std::move(work_->current->ticket);
  work_->current.reset();
  call->finish(std::move(reason), context());
}

void activation::emit(gated_output x) {
  if (x.saw <= work_->gate.durable())
    send(std::move(x));
  else
    work_->gate.hold(std::move(x));
}

void activation::send(gated_output x) {
  if (x.answer) {
    x.answer->finish(context());
    return;
  }
  // The coroutine that waits for it is still there, or it was dropped with it.
  work_->current->has_called = true;
  submit_nested(target_->environment(), **work_->routes, std::move(x.call),
                x.name, home_system(), context());
}

// -- call_host ---------------------------------------------------------------

time_point activation::now() const noexcept {
  return home_system().clock().now();
}

void activation::submit(invocation_ptr call, std::string_view name) {
  call->path = path();
  if (!work_->routes)
    work_->routes.emplace(target_->environment().routes);
  gated_output output;
  output.saw = work_->gate.last();
  output.call = std::move(call);
  output.name = name;
  emit(std::move(output));
}

std::shared_ptr<const call_path> activation::path() {
  auto& x = *work_->current;
  if (!x.path) {
    auto outer = x.call().path;
    auto depth = outer ? outer->depth + 1 : 1;
    auto root = x.call().root();
    x.path = std::make_shared<call_path>(
      call_path{definition().name, key, std::move(outer), depth, root});
  }
  return x.path;
}

void activation::resume_after(std::chrono::nanoseconds delay, uint64_t wait) {
  delayed_send(this, delay, atom::resume::value, wait);
}

void activation::resume(uint64_t wait, caf::execution_unit* host) noexcept {
  ctrl()->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(atom::resume::value, wait), host);
}

const service_definition* activation::service_of(const std::type_info& type) {
  if (!work_->routes)
    work_->routes.emplace(target_->environment().routes);
  auto& table = **work_->routes;
  auto i = table.classes.find(std::type_index{type});
  return i != table.classes.end() ? i->second.get() : nullptr;
}

} // namespace troupe
