// What an activation asks of the store, and what it makes of the answers: claims,
// commits, outcomes of earlier calls, and commits of which nobody knows what
// became of them.

#include "actors/service/activation.hpp"

#include <random>

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"

namespace troupe {

namespace {

/// A generator a thread, each with a seed of the system's.
fencing_token fresh_token() {
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(),
                       device(), device(), device(), device()};
    return std::mt19937_64{seed};
  }();
  return {random(), random()};
}

error not_committed() {
  return error{errc::store_unavailable, "the state was not committed"}
    .retry_after(1);
}

error taken_over() {
  return {errc::not_owner, "somebody else has claimed the entity"};
}

error locks_lost(const std::vector<lock_proof>& shown) {
  return {errc::lock_held,
          "not all of these are held any more: " + to_string(shown)};
}

} // namespace

// -- the store's answers -----------------------------------------------------

template <class Answer>
void activation::hear(Answer answer) {
  auto& sys = home_system();
  lender thread{sys, nullptr, target_->environment().lend};
  if (!thread.may_run() || !mailbox().try_unblock()) {
    enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                      std::move(answer)),
            nullptr);
    return;
  }
  context(&thread);
  if (may_go_on_here())
    take(answer);
  else
    enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                      std::move(answer)),
            &thread);
  let_go_of(thread);
}

bool activation::may_go_on_here() const noexcept {
  return !work_ || work_->waiting.empty() || target_->is_quick();
}

// -- claims ------------------------------------------------------------------

void activation::claim(phase why) {
  phase_ = why;
  std::optional<shard_ownership> owned;
  if (auto ownership = target_->options().ownership) {
    owned = ownership->find(shard);
    if (!owned)
      return claim_elsewhere();
  }
  epoch_ = owned ? owned->epoch : 1;
  token_ = fresh_token();
  target_->store().claim({definition().name, key}, token_, std::move(owned),
                         [this, self = self()](expected<claimed_state> found) {
                           hear(claim_answer{std::move(found)});
                         });
}

void activation::claim_elsewhere() {
  if (phase_ == phase::settling) {
    give_commit_up("the entity is elsewhere since the commit");
    invalidate(taken_over());
  }
  phase_ = phase::vacant;
  refuse_waiting({errc::not_owner, "the entity is on another node"});
}

void activation::take(claim_answer& answer) {
  auto ownership = target_->options().ownership;
  if (ownership && !answer.found && answer.found.error() == errc::not_owner)
    ownership->doubt(shard);
  if (phase_ == phase::settling) {
    settle(answer);
    pump();
    return;
  }
  phase_ = phase::vacant;
  if (answer.found)
    load(answer.found->found);
  else
    refuse_waiting(answer.found.error());
  pump();
}

void activation::load(const stored_state& found) {
  auto keep = [&](const std::string& why) {
    state_.keep_unreadable(found,
                           {errc::internal_error, effect::none,
                            "the stored state of " + definition().name + "/"
                              + key + " does not fit its class" + why});
    base_ = found.revision;
    phase_ = phase::ready;
  };
  try {
    state_.load(definition(), found);
    base_ = found.revision;
    phase_ = phase::ready;
  } catch (const error_exception& e) {
    // A newer build knows what to do with it.
    if (e.reason() == errc::not_implemented)
      return refuse_waiting(e.reason());
    keep(std::string{": "} + e.what());
  } catch (const std::exception& e) {
    keep(std::string{": "} + e.what());
  } catch (...) {
    keep({});
  }
}

// -- earlier calls -----------------------------------------------------------

uint64_t activation::look_up(const std::string& id) {
  auto lookup = ++last_lookup_;
  target_->store().find_outcome(
    {definition().name, key}, id,
    [self = self(), lookup](expected<std::optional<recorded_outcome>> found) {
      self->enqueue(nullptr, caf::make_message_id(),
                    caf::make_message(outcome_answer{lookup, std::move(found)}),
                    nullptr);
    });
  return lookup;
}

void activation::take(outcome_answer& answer) {
  if (!work_)
    return;
  auto& current = work_->current;
  if (current && current->lookup == answer.lookup)
    know_if_repeat(answer.found);
  else if (phase_ == phase::settling && answer.lookup == work_->lookup)
    know_if_written(answer.found);
  pump();
}

void activation::know_if_repeat(
  const expected<std::optional<recorded_outcome>>& found) {
  auto& x = *work_->current;
  if (!found) {
    refuse(found.error());
  } else if (!target_->may_serve(shard, epoch_, now())) {
    auto call = std::move(work_->current->ticket); // the store took its time
    work_->current.reset();
    call->turn_away(taken_over(), context());
  } else if (auto& first = *found) {
    replay_outcome(x.call(), x.fingerprint, *first);
    answer();
  } else {
    serve();
  }
}

void activation::know_if_written(
  const expected<std::optional<recorded_outcome>>& found) {
  if (found)
    settled(found->has_value(), std::exchange(work_->claimed, {}));
  else
    settle_later(found.error());
}

// -- commits -----------------------------------------------------------------

void activation::commit() {
  work_->gate.begin_commit();
  next_ = state_.revision();
  commit_request request;
  request.entity = {definition().name, key};
  request.token = token_;
  request.base = base_;
  if (next_ == base_)
    request.next.revision = base_;
  else
    request.next = state_.snapshot(definition());
  request.outcomes = work_->outcomes.take_new();
  auto leaving = work_->leaving.take();
  request.work = std::move(leaving.work);
  request.withdrawn = std::move(leaving.withdrawn);
  request.locks = work_->guard;
  target_->store().commit(std::move(request),
                          [this, self = self()](commit_outcome outcome) {
                            hear(commit_answer{outcome});
                          });
}

void activation::take(commit_answer& answer) {
  switch (answer.outcome) {
  case commit_outcome::done:
    release();
    break;
  case commit_outcome::refused:
    invalidate(taken_over());
    break;
  case commit_outcome::lock_lost:
    if (auto& count = target_->options().locks_lost)
      count->fetch_add(1, std::memory_order_relaxed);
    invalidate(locks_lost(work_->guard));
    break;
  case commit_outcome::failed:
    invalidate(not_committed());
    break;
  case commit_outcome::unknown:
    last_token_ = token_;
    claim(phase::settling);
    break;
  }
  pump();
}

void activation::release() {
  auto& gate = work_->gate;
  gate.commit_done();
  base_ = next_;
  work_->outcomes.forget_until(gate.durable());
  tell_what_waits();
  gate.release([this](gated_output x) { send(std::move(x)); });
}

void activation::fail(gated_output& x, error reason) {
  if (x.has_called && reason.what_happened() == effect::none)
    reason.with_effect(effect::ran);
  x.answer->call().fail(std::move(reason));
}

void activation::invalidate(const error& reason) {
  auto& x = *work_;
  if (x.current) {
    gated_output output;
    output.has_called = x.current->has_called;
    if (x.current->method) {
      last_wait_ = x.current->view->last_wait();
      x.current->call().fail(reason);
      leave_method();
    }
    output.answer = std::move(x.current->ticket);
    x.current.reset();
    fail(output, reason);
    output.answer->finish(context());
  }
  x.gate.drop([&](gated_output output) {
    if (!output.answer)
      return;
    fail(output, reason);
    output.answer->finish(context());
  });
  x.gate.forget();
  x.outcomes.clear();
  x.leaving.clear();
  state_.unload();
  phase_ = phase::vacant;
}

// -- a commit whose outcome is unknown ---------------------------------------

void activation::settle(claim_answer& answer) {
  if (!answer.found) {
    settle_later(answer.found.error());
    return;
  }
  auto& there = *answer.found;
  if (next_ == base_ && !work_->outcomes.committing()) {
    settled(false, there.found); // nothing was to be written
    return;
  }
  if (next_ == base_) {
    // Only outcomes were to be written: the revision does not tell.
    work_->claimed = there.found;
    work_->lookup = look_up(work_->outcomes.first().id);
    return;
  }
  auto ours = there.previous == last_token_;
  if (there.found.revision == base_)
    settled(false, there.found);
  else if (ours && there.found.revision == next_)
    settled(true, there.found);
  else
    lose(there.found);
}

void activation::settled(bool written, const stored_state& there) {
  phase_ = phase::ready;
  if (written)
    release();
  if (!written || there.revision != base_) {
    invalidate(written ? taken_over() : not_committed());
    load(there);
  }
}

void activation::lose(const stored_state& there) {
  give_commit_up("somebody else has claimed the entity since the commit");
  invalidate(taken_over());
  load(there);
}

void activation::give_commit_up(const std::string& why) {
  auto position = work_->gate.commit_position();
  work_->gate.drop_if(
    [&](const gated_output& x) { return x.answer && x.saw <= position; },
    [&](gated_output x) {
      fail(x, {errc::outcome_unknown, why});
      x.answer->finish(context());
    });
}

void activation::settle_later(const error& reason) {
  auto delay = defaults::service::settle_delay;
  auto next_look = now() + delay;
  auto& gate = work_->gate;
  // Also what came after the commit: if that was done, it will be committed.
  gate.drop_if(
    [&](const gated_output& x) {
      return x.answer && x.answer->call().deadline <= next_look;
    },
    [&](gated_output x) {
      fail(x, {errc::outcome_unknown,
               "whether the state was committed could not be found out: "
                 + reason.message()});
      x.answer->finish(context());
    });
  auto& current = work_->current;
  auto somebody_waits =
    gate.holds_answers() || (current && current->call().deadline > next_look);
  if (somebody_waits)
    delayed_send(this, delay, atom::tick::value);
  else
    invalidate(not_committed());
}

} // namespace troupe
