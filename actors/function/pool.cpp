#include "actors/function/pool.hpp"

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/function/instance.hpp"
#include "actors/function/messages.hpp"
#include "actors/supervision/supervisor.hpp"

namespace troupe {

quarantine_options pool_options::default_quarantine() {
  quarantine_options result;
  result.intensity = defaults::quarantine::intensity;
  result.period = defaults::quarantine::period;
  result.cool_down = defaults::quarantine::cool_down;
  result.cool_down_max = defaults::quarantine::cool_down_max;
  return result;
}

pool_actor::pool_actor(caf::actor_config& cfg, function_target_ptr target,
                       pool_options options)
  : caf::event_based_actor(cfg), target_(std::move(target)), options_(options),
    quarantine_(options_.quarantine) {
  // Not when it starts to run: a call may come as soon as it is spawned.
  target_->pool(caf::actor{this});
}

caf::behavior pool_actor::make_behavior() {
  set_down_handler([this](caf::down_msg& msg) { lost(msg); });
  adopt();
  return {
    [this](waiting_call& msg) { enqueue(std::move(msg.call)); },
    [this](atom::wake) {
      target_->seen_wake();
      check_probe();
      pump();
      leave_if_drained();
    },
    [this](atom::tick) {
      ticking_ = false;
      retire_idle();
      leave_if_drained();
      arm_tick();
    },
    [this](atom::retry) { follow_quarantine(); },
    [this](atom::sweep) {
      sweeping_ = false;
      sweep();
    },
    [this](atom::describe) { return describe(); },
    [this](atom::drain) { drain(); },
  };
}

void pool_actor::adopt() {
  target_->seen_wake();
  target_->quarantined_until.store(0);
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (!x || !x->handle)
      continue;
    ++occupied_;
    if (x->ended)
      ++ended_;
    else
      monitor(x->handle);
  }
}

// -- calls -------------------------------------------------------------------

void pool_actor::enqueue(admitted_call_ptr call) {
  queue_.push_back(std::move(call));
  pump();
}

void pool_actor::pump() {
  while (is_next_timely()) {
    auto index = acquire_slot();
    if (!index)
      break;
    auto next = std::move(queue_.front());
    queue_.pop_front();
    auto call = next->take();
    // The call may end before the hand-over does: who calls again finds room.
    next->leave();
    lender thread{system(), context(), false};
    target_->hand_over(*index, std::move(call), thread);
  }
  if (quarantine_.current() != quarantine::state::closed)
    refuse_queue();
  if (!queue_.empty() && !std::exchange(sweeping_, true))
    delayed_send(this, defaults::function::sweep, atom::sweep::value);
}

bool pool_actor::is_next_timely() {
  while (!queue_.empty()) {
    if (is_timely(*queue_.front()))
      return true;
    queue_.pop_front();
  }
  return false;
}

bool pool_actor::is_timely(admitted_call& x) {
  if (x.call().wanted() && home_system().clock().now() < x.call().deadline)
    return true;
  // Late, or nobody waits for it: it never starts.
  target_->late.fetch_add(1, std::memory_order_relaxed);
  x.finish({errc::deadline_exceeded, "the deadline passed in the queue"},
           context());
  return false;
}

void pool_actor::sweep() {
  std::erase_if(queue_, [this](auto& x) { return !is_timely(*x); });
  pump();
  leave_if_drained();
}

std::optional<size_t> pool_actor::acquire_slot() {
  if (quarantine_.current() == quarantine::state::closed) {
    if (auto index = target_->free().claim())
      return index;
    return spawn_instance();
  }
  if (quarantine_.admit(home_system().clock().now())
      != quarantine::verdict::probe)
    return std::nullopt;
  probe_ = spawn_instance();
  if (probe_)
    calls_before_probe_ = target_->at(*probe_)->calls.get();
  else
    quarantine_.record_inconclusive(home_system().clock().now());
  return probe_;
}

std::optional<size_t> pool_actor::spawn_instance() {
  auto count = target_->limits().concurrency;
  if (occupied_ == count && ended_ == 0)
    return std::nullopt;
  for (size_t i = 0; i < count; ++i) {
    auto& x = target_->make(i);
    if ((x.handle && !x.ended) || !x.vacant.exchange(false))
      continue;
    ended_ -= x.ended;
    occupied_ += !x.handle;
    spawn_into(x, i);
    arm_tick();
    return i;
  }
  return std::nullopt;
}

void pool_actor::spawn_into(slot& x, size_t index) {
  x.ended = false;
  x.gone.store(false);
  x.credit = 0;
  x.idle_since.store(home_system().clock().now().time_since_epoch().count());
  x.handle =
    target_->limits().blocking && target_->environment().lend
      ? spawn<instance, caf::monitored + caf::detached>(target_, index)
      : spawn<instance, caf::monitored + caf::lazy_init>(target_, index);
  x.actor =
    static_cast<instance*>(caf::actor_cast<caf::abstract_actor*>(x.handle));
  ++target_->instances;
}

void pool_actor::refuse_queue() {
  for (auto& x : std::exchange(queue_, {}))
    x->finish(target_->quarantine_error(), context());
}

// -- death and quarantine ----------------------------------------------------

void pool_actor::lost(const caf::down_msg& msg) {
  if (auto index = find(msg.source))
    vacate(*index);
  if (msg.reason != caf::exit_reason::normal
      && msg.reason != caf::exit_reason::user_shutdown) {
    last_reason_ = render_reason(home_system(), msg.reason);
    ++target_->restarts;
    quarantine_.record_crash(home_system().clock().now());
    follow_quarantine();
  }
  pump();
  leave_if_drained();
}

std::optional<size_t> pool_actor::find(const caf::actor_addr& source) const {
  for (size_t i = 0; i < target_->limits().concurrency; ++i)
    if (auto x = target_->at(i);
        x && !x->ended && x->handle && x->handle.address() == source)
      return i;
  return std::nullopt;
}

void pool_actor::vacate(size_t index) {
  auto& x = *target_->at(index);
  x.gone.store(true);
  // Claimed by its last call, by a caller on the way, or now by us.
  if (target_->free().claim_exactly(index))
    x.vacant.store(true);
  x.ended = true;
  ++ended_;
  --target_->instances;
  if (probe_ == index)
    probe_.reset();
}

void pool_actor::follow_quarantine() {
  auto now = home_system().clock().now();
  if (quarantine_.current() == quarantine::state::closed) {
    target_->quarantined_until.store(0);
    hold(draining_);
    return;
  }
  hold(true);
  if (quarantine_.current() == quarantine::state::quarantined
      && now < quarantine_.until()) {
    target_->quarantined_until.store(
      quarantine_.until().time_since_epoch().count());
    retire_free();
    refuse_queue();
    delayed_send(this, quarantine_.until() - now, atom::retry::value);
    return;
  }
  // The next call is let in as a probe.
  target_->quarantined_until.store(0);
}

void pool_actor::check_probe() {
  if (quarantine_.current() == quarantine::state::closed)
    return;
  auto& free = target_->free();
  if (probe_ && free.claim_exactly(*probe_)) {
    auto now = home_system().clock().now();
    auto index = *std::exchange(probe_, std::nullopt);
    free.release(index);
    if (target_->at(index)->calls.get() != calls_before_probe_)
      quarantine_.record_success(now);
    else // its caller had gone before it began
      quarantine_.record_inconclusive(now);
    follow_quarantine();
  }
  // What was running when the door closed serves no more.
  if (quarantine_.current() != quarantine::state::closed)
    retire_free();
}

void pool_actor::hold(bool wanted) {
  if (held_ == wanted)
    return;
  held_ = wanted;
  wanted ? target_->hold() : target_->let_go();
}

// -- idle and leaving --------------------------------------------------------

void pool_actor::retire(size_t index) {
  auto& x = *target_->at(index);
  auto gone = x.gone.exchange(true);
  x.vacant.store(true);
  if (!gone)
    send_exit(x.handle, caf::exit_reason::user_shutdown);
}

void pool_actor::retire_free() {
  for (size_t i = 0; i < target_->limits().concurrency; ++i)
    if (target_->at(i) && target_->free().claim_exactly(i))
      retire(i);
}

void pool_actor::retire_idle() {
  auto limit = (home_system().clock().now() - options_.idle_time)
                 .time_since_epoch()
                 .count();
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (x && !x->ended && x->idle_since.load() <= limit
        && target_->free().claim_exactly(i))
      retire(i);
  }
}

void pool_actor::arm_tick() {
  if (ticking_ || target_->instances.load() == 0)
    return;
  ticking_ = true;
  delayed_send(this, options_.idle_time / 2, atom::tick::value);
}

void pool_actor::drain() {
  if (std::exchange(draining_, true))
    return;
  target_->draining.store(true);
  hold(true);
  leave_if_drained();
}

void pool_actor::leave_if_drained() {
  if (!draining_ || !queue_.empty())
    return;
  retire_free();
  for (size_t i = 0; i < target_->limits().concurrency; ++i)
    if (auto x = target_->at(i); x && x->handle && !x->gone.load())
      return; // it has a call
  quit(caf::exit_reason::user_shutdown);
}

void pool_actor::on_exit() {
  target_->pool_left(caf::actor{this});
  for (auto& x : std::exchange(queue_, {}))
    x->finish(
      error{errc::shutting_down, "the function's pool ended"}.retry_after(1),
      context());
  retire_free();
  for (size_t i = 0; i < target_->limits().concurrency; ++i)
    if (auto x = target_->at(i); x && x->handle && !x->gone.load())
      send_exit(x->handle, caf::exit_reason::kill);
  hold(false);
}

tree_node pool_actor::describe() const {
  auto now = home_system().clock().now().time_since_epoch().count();
  tree_node result;
  result.kind = "pool";
  result.name =
    target_->definition().name + ":" + std::to_string(target_->version());
  result.state = draining_ ? "stopping" : to_string(quarantine_.current());
  result.restarts = target_->restarts.load();
  result.last_reason = last_reason_;
  result.queue = static_cast<uint32_t>(queue_.size());
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (!x || !x->handle || x->ended)
      continue;
    tree_node child;
    child.kind = "instance";
    child.name = std::to_string(i);
    if (auto since = x->running_since.load(); since != 0) {
      child.handler = target_->definition().name;
      child.running_us = (now - since) / 1000;
    }
    result.children.push_back(std::move(child));
  }
  return result;
}

} // namespace troupe
