#include "actors/function/exposed_keeper.hpp"

#include <algorithm>
#include <bit>

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/caf_error.hpp"
#include "actors/supervision/supervisor.hpp"

namespace troupe {

namespace {

using door = exposed_target::door;

/// An error of the actor's own, as callers see it.
error translate(const caf::actor_system& sys, const caf::error& reason) {
  if (reason.category() == caf::atom("troupe")) {
    auto result = to_error(reason);
    // The actor did run, whatever became of what it called.
    if (result.what_happened() == effect::none)
      result.with_effect(effect::ran);
    return result;
  }
  auto type = to_string(reason.category());
  if (reason.category() == caf::atom("system"))
    type = "caf::sec::" + to_string(static_cast<caf::sec>(reason.code()));
  else if (reason.category() == caf::atom("exit"))
    type = "caf::exit_reason::"
           + to_string(static_cast<caf::exit_reason>(reason.code()));
  return error::from_handler(std::move(type), sys.render(reason));
}

/// The actor ended while it had `x`.
error lost(const delivery& x) {
  if (x.seen())
    return {errc::instance_lost, "the actor ended in the call"};
  return {errc::instance_lost, effect::none,
          "the actor ended before it took the call"};
}

bool is_normal(const caf::error& reason) {
  return !reason || reason == caf::exit_reason::normal;
}

} // namespace

quarantine_options exposed_options::default_quarantine() {
  quarantine_options result;
  result.intensity = defaults::quarantine::intensity;
  result.period = defaults::quarantine::period;
  result.cool_down = defaults::quarantine::cool_down;
  result.cool_down_max = defaults::quarantine::cool_down_max;
  return result;
}

backoff_options exposed_options::default_backoff() {
  return {defaults::exposed::backoff, defaults::exposed::backoff_max};
}

exposed_keeper::exposed_keeper(caf::actor_config& cfg,
                               exposed_target_ptr target,
                               exposed_options options)
  : super(cfg), target_(std::move(target)), options_(options),
    quarantine_(options_.quarantine), backoff_(options_.backoff),
    random_(options_.seed != 0 ? options_.seed : std::random_device{}()) {
  // Not when it starts to run: a call may come as soon as it is spawned.
  target_->keeper(caf::actor{this});
}

caf::behavior exposed_keeper::make_behavior() {
  target_->entry.store(door::open);
  set_down_handler([this](caf::down_msg& msg) {
    if (actor_ && actor_.address() == msg.source)
      ended(msg.reason);
  });
  set_exit_handler([this](caf::exit_msg& msg) {
    if (!is_normal(msg.reason))
      stop(msg.reason);
  });
  start_actor();
  return {
    [this](exposed_call& msg) { take(std::move(msg)); },
    [this](exposed_answer& msg) { answered(msg); },
    [this](atom::taken, uint64_t id) { taken(id); },
    [this](atom::retry, uint64_t timer) {
      if (timer == timer_)
        start_actor();
    },
    [this](atom::wake, uint64_t timer) {
      if (timer == timer_)
        check_settled();
    },
    [this](atom::sweep) {
      sweeping_ = false;
      sweep();
    },
    [this](atom::late) { insist(); },
    [this](atom::describe) { return describe(); },
    [this](atom::drain) { drain(); },
  };
}

void exposed_keeper::enqueue(caf::mailbox_element_ptr what,
                             caf::execution_unit* host) {
  if (what->mid.is_response())
    what = caf::make_mailbox_element(
      nullptr, caf::make_message_id(), {},
      exposed_answer{what->mid.integer_value(), what->sender != nullptr,
                     what->move_content_to_message()});
  super::enqueue(std::move(what), host);
}

// -- the actor's life --------------------------------------------------------

void exposed_keeper::start_actor() {
  if (stopping_)
    return;
  if (quarantine_.current() != quarantine::state::closed
      && quarantine_.admit(now()) != quarantine::verdict::probe)
    return;
  ++timer_;
  started_ = now();
  try {
    actor_ = target_->definition().spawn(home_system());
  } catch (const std::exception& e) {
    ended(caf::make_error(caf::sec::runtime_error, std::string{e.what()}));
    return;
  } catch (...) {
    ended(caf::sec::runtime_error);
    return;
  }
  if (!actor_) {
    ended(caf::make_error(caf::sec::runtime_error,
                          std::string{"the factory gave no actor"}));
    return;
  }
  monitor(actor_);
  target_->actor(actor_);
  delayed_send(this, options_.settled, atom::wake::value, timer_);
  if (quarantine_.current() != quarantine::state::closed)
    target_->entry.store(draining_ ? door::draining : door::probe);
  pump();
}

void exposed_keeper::ended(const caf::error& reason) {
  last_reason_ = render_reason(home_system(), reason);
  actor_ = nullptr;
  closed_ = false;
  target_->actor(nullptr);
  lose_requests();
  if (stopping_) {
    quit(std::move(*stopping_));
    return;
  }
  if (now() - started_ >= options_.settled)
    ends_in_a_row_ = 0;
  ++target_->restarts;
  quarantine_.record_crash(now());
  follow_quarantine();
  leave_if_drained();
}

void exposed_keeper::lose_requests() {
  target_->in_flight.store(0);
  for (auto& [id, x] : std::exchange(requests_, {})) {
    if (!x.call)
      continue;
    count(x, true);
    x.call->finish(lost(*x.message), context());
  }
}

void exposed_keeper::follow_quarantine() {
  ++timer_; // calls off older timers
  if (quarantine_.current() == quarantine::state::closed) {
    delayed_send(this, backoff_.delay(ends_in_a_row_++, random_),
                 atom::retry::value, timer_);
    return;
  }
  target_->quarantined_until.store(
    quarantine_.until().time_since_epoch().count());
  if (!draining_)
    target_->entry.store(door::quarantined);
  refuse_queue(target_->quarantine_error());
  delayed_send(this, quarantine_.until() - now(), atom::retry::value, timer_);
}

void exposed_keeper::reopen() {
  quarantine_.record_success(now());
  ends_in_a_row_ = 0;
  if (!draining_)
    target_->entry.store(door::open);
}

void exposed_keeper::probe_again() {
  quarantine_.record_inconclusive(now());
  if (quarantine_.admit(now()) == quarantine::verdict::probe && !draining_)
    target_->entry.store(door::probe);
}

void exposed_keeper::check_settled() {
  if (!actor_ || quarantine_.current() != quarantine::state::probing)
    return;
  auto probed = std::any_of(requests_.begin(), requests_.end(),
                            [](auto& x) { return x.second.probe; });
  if (!probed)
    reopen();
}

// -- calls -------------------------------------------------------------------

void exposed_keeper::take(exposed_call call) {
  if (stopping_) {
    call.call->finish(
      error{errc::shutting_down, "the node is leaving"}.retry_after(1),
      context());
    return;
  }
  if (quarantine_.current() != quarantine::state::closed && !call.probe) {
    call.call->finish(target_->quarantine_error(), context());
    return;
  }
  queue_.push_back(std::move(call));
  pump();
}

void exposed_keeper::pump() {
  while (actor_ && !closed_ && !stopping_ && !queue_.empty()
         && requests_.size() < target_->limits().concurrency) {
    auto call = std::move(queue_.front());
    queue_.pop_front();
    if (is_timely(call))
      send_to_actor(std::move(call));
  }
  arm_sweep();
}

bool exposed_keeper::is_timely(exposed_call& call) {
  auto& x = call.call->call();
  if (x.wanted() && now() < x.deadline)
    return true;
  target_->late.add(1);
  call.call->finish(
    {errc::deadline_exceeded, "the deadline passed in the queue"}, context());
  if (call.probe)
    probe_again();
  return false;
}

void exposed_keeper::send_to_actor(exposed_call call) {
  if (!call.call->call().start()) { // given up just now
    if (call.probe)
      probe_again();
    return;
  }
  auto id = new_request_id(caf::message_priority::normal);
  auto key = id.response_id().integer_value();
  auto watch = caf::make_counted<delivery>(caf::actor{this}, key);
  requests_.emplace(key, request{std::move(call.call),
                                 watch,
                                 std::move(call.content_type),
                                 now(),
                                 call.probe,
                                 {}});
  target_->in_flight.fetch_add(1);
  actor_->enqueue(caf::mailbox_element_ptr{new delivered_message(
                    std::move(watch), ctrl(), id, std::move(call.content))},
                  context());
}

void exposed_keeper::answered(exposed_answer& answer) {
  auto i = requests_.find(answer.request);
  if (i == requests_.end() || !i->second.call || i->second.failure)
    return; // late
  auto& x = i->second;
  if (!answer.content.match_elements<caf::error>()) {
    try {
      target_->definition().signature->result(x.call->call(), answer.content,
                                              std::move(x.content_type));
    } catch (...) {
      x.call->call().fail(error::from_exception(std::current_exception()));
    }
    finish(i);
    return;
  }
  auto& reason = answer.content.get_as<caf::error>(0);
  if (!answer.is_from_actor) {
    // A mailbox closed on it: the actor's, or that of whom it delegated to.
    closed_ = closed_ || !x.message->seen();
    x.call->call().fail(lost(*x.message));
    x.probe = false;
    finish(i);
  } else {
    // What an actor answers when it throws looks as any error. If it did, its
    // DOWN is here before the news that it let go of the message.
    x.failure = reason;
    if (x.message->taken())
      send(this, atom::taken::value, answer.request);
  }
}

void exposed_keeper::taken(uint64_t id) {
  auto i = requests_.find(id);
  if (i == requests_.end())
    return;
  if (i->second.failure) {
    fail(i, *i->second.failure);
  } else if (!i->second.call) {
    requests_.erase(i);
    pump();
    leave_if_drained();
  }
}

void exposed_keeper::fail(request_map::iterator i, const caf::error& reason) {
  i->second.call->call().fail(translate(system(), reason));
  finish(i);
}

void exposed_keeper::finish(request_map::iterator i) {
  auto x = std::move(i->second);
  requests_.erase(i);
  target_->in_flight.fetch_sub(1);
  count(x, x.call->call().has_failed());
  if (x.probe)
    reopen();
  x.call->finish(context());
  pump();
  leave_if_drained();
}

void exposed_keeper::count(const request& x, bool failed) noexcept {
  auto ns =
    static_cast<uint64_t>(std::max<int64_t>((now() - x.began).count(), 0));
  auto bucket = static_cast<size_t>(std::bit_width(ns / 1000));
  target_->calls.add(1);
  target_->busy_ns.add(ns);
  target_->durations[std::min(bucket, call_stats::buckets - 1)].add(1);
  if (failed)
    target_->failures.add(1);
}

void exposed_keeper::sweep() {
  auto gone = [&](admitted_call& x) {
    if (now() >= x.call().deadline)
      x.call().expire(context());
    return !x.call().wanted();
  };
  for (auto i = requests_.begin(); i != requests_.end();) {
    auto& x = i->second;
    if (!x.call || !gone(*x.call)) {
      ++i;
      continue;
    }
    target_->in_flight.fetch_sub(1);
    count(x, true);
    x.call->finish(context()); // nobody listens
    x.call = nullptr;
    x.failure.reset();
    if (std::exchange(x.probe, false))
      probe_again();
    // A message that still waits in the actor's mailbox keeps its place.
    i = x.message->taken() ? requests_.erase(i) : std::next(i);
  }
  std::erase_if(queue_, [&](exposed_call& x) {
    if (!gone(*x.call))
      return false;
    target_->late.add(1);
    x.call->finish(context());
    if (x.probe)
      probe_again();
    return true;
  });
  pump();
  leave_if_drained();
}

void exposed_keeper::arm_sweep() {
  auto needed = !queue_.empty() || !requests_.empty() || draining_;
  if (!needed || std::exchange(sweeping_, true))
    return;
  delayed_send(this, defaults::function::sweep, atom::sweep::value);
}

void exposed_keeper::refuse_queue(const error& reason) {
  for (auto& x : std::exchange(queue_, {}))
    x.call->finish(reason, context());
}

// -- the end -----------------------------------------------------------------

void exposed_keeper::drain() {
  if (std::exchange(draining_, true))
    return;
  target_->entry.store(door::draining);
  arm_sweep();
  leave_if_drained();
}

void exposed_keeper::leave_if_drained() {
  if (draining_ && !stopping_ && target_->idle())
    stop(caf::exit_reason::user_shutdown);
}

void exposed_keeper::stop(caf::error reason) {
  if (stopping_)
    return;
  stopping_ = std::move(reason);
  target_->entry.store(door::draining);
  refuse_queue(
    error{errc::shutting_down, "the node is leaving"}.retry_after(1));
  if (!actor_) {
    quit(std::move(*stopping_));
    return;
  }
  send_exit(actor_, caf::exit_reason::user_shutdown);
  delayed_send(this, options_.stop_limit, atom::late::value);
}

void exposed_keeper::insist() {
  if (!actor_)
    return;
  if (std::exchange(insisted_, true)) {
    quit(std::move(*stopping_)); // it is stuck in a handler
    return;
  }
  send_exit(actor_, caf::exit_reason::kill);
  delayed_send(this, options_.stop_limit, atom::late::value);
}

void exposed_keeper::on_exit() {
  target_->keeper_left(caf::actor{this});
  target_->actor(nullptr);
  lose_requests();
  refuse_queue(error{errc::shutting_down, "its keeper ended"}.retry_after(1));
  if (actor_)
    send_exit(actor_, caf::exit_reason::kill);
  actor_ = nullptr;
}

tree_node exposed_keeper::describe() const {
  tree_node result;
  result.kind = "exposed";
  result.name = target_->definition().name;
  result.state = stopping_ || draining_ ? "stopping"
                 : quarantine_.current() != quarantine::state::closed
                   ? to_string(quarantine_.current())
                 : actor_ ? "up"
                          : "waiting";
  result.restarts = target_->restarts.load();
  result.last_reason = last_reason_;
  result.queue = static_cast<uint32_t>(queue_.size());
  if (requests_.empty())
    return result;
  auto oldest =
    std::min_element(requests_.begin(), requests_.end(), [](auto& x, auto& y) {
      return x.second.began < y.second.began;
    });
  result.handler = result.name;
  result.running_us = (now() - oldest->second.began).count() / 1000;
  return result;
}

} // namespace troupe
