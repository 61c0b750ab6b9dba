#include "actors/function/pool.hpp"

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/function/instance.hpp"
#include "actors/function/messages.hpp"

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
  : caf::event_based_actor(cfg), target_(std::move(target)),
    options_(std::move(options)), quarantine_(options_.quarantine) {}

caf::behavior pool_actor::make_behavior() {
  target_->pool(caf::actor{this});
  set_down_handler([this](caf::down_msg& msg) { lost(msg); });
  return {
    [this](waiting_call& msg) { enqueue(std::move(msg.call)); },
    [this](atom::wake) {
      target_->woken_.store(false);
      check_probe();
      pump();
      leave_if_drained();
    },
    [this](atom::tick) {
      ticking_ = false;
      follow_quarantine();
      retire_idle();
      leave_if_drained();
      arm_tick();
    },
    [this](atom::describe) { return describe(); },
    [this](atom::drain) { drain(); },
  };
}

// -- calls -------------------------------------------------------------------

void pool_actor::enqueue(invocation_ptr call) {
  queue_.push_back(std::move(call));
  pump();
}

void pool_actor::pump() {
  while (auto call = next_call()) {
    auto index = acquire_slot();
    if (!index) {
      if (quarantine_.current() != quarantine::state::closed)
        refuse_queue();
      return;
    }
    queue_.pop_front();
    lender thread{system(), context(), false};
    target_->hand_over(*index, std::move(call), thread);
    target_->left_queue();
  }
}

invocation_ptr pool_actor::next_call() {
  auto now = home_system().clock().now();
  while (!queue_.empty()) {
    auto& call = queue_.front();
    if (call->wanted() && now < call->deadline)
      return call;
    // Late, or nobody waits for it: it never starts.
    call->finish({errc::deadline_exceeded, "the deadline passed in the queue"},
                 context());
    queue_.pop_front();
    target_->left_queue();
  }
  return nullptr;
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
  if (!probe_)
    quarantine_.record_inconclusive(home_system().clock().now());
  else
    ++target_->watched; // its release wakes us, and all calls come to us
  return probe_;
}

std::optional<size_t> pool_actor::spawn_instance() {
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto& x = target_->make(i);
    if (x.handle || !x.vacant.exchange(false))
      continue;
    x.gone.store(false);
    x.credit = 0;
    x.handle = target_->limits().blocking && target_->environment().lend
                 ? spawn<instance, caf::monitored + caf::detached>(target_, i)
                 : spawn<instance, caf::monitored + caf::lazy_init>(target_, i);
    x.actor = static_cast<instance*>(
      caf::actor_cast<caf::abstract_actor*>(x.handle));
    ++target_->instances;
    arm_tick();
    return i;
  }
  return std::nullopt;
}

void pool_actor::refuse_queue() {
  for (auto& call : queue_) {
    call->finish(target_->quarantine_error(), context());
    target_->left_queue();
  }
  queue_.clear();
}

// -- death and quarantine ----------------------------------------------------

void pool_actor::lost(const caf::down_msg& msg) {
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (!x || x->handle.address() != msg.source)
      continue;
    // Claimed by its last call, by a caller on the way, or now by us.
    if (target_->free().claim_exactly(i))
      x->vacant.store(true);
    target_->rescue(i, context());
    x->handle = nullptr;
    x->gone.store(true);
    --target_->instances;
    if (probe_ == i) {
      probe_.reset();
      --target_->watched;
    }
    break;
  }
  if (msg.reason == caf::exit_reason::normal
      || msg.reason == caf::exit_reason::user_shutdown)
    return;
  last_reason_ = system().render(msg.reason);
  ++target_->restarts;
  quarantine_.record_crash(home_system().clock().now());
  follow_quarantine();
  pump();
}

void pool_actor::follow_quarantine() {
  auto now = home_system().clock().now();
  if (quarantine_.current() == quarantine::state::closed) {
    target_->quarantined_until.store(0);
    return;
  }
  if (quarantine_.current() == quarantine::state::quarantined
      && now < quarantine_.until()) {
    target_->quarantined_until.store(
      quarantine_.until().time_since_epoch().count());
    for (size_t i = 0; i < target_->limits().concurrency; ++i)
      if (target_->at(i) && target_->free().claim_exactly(i))
        retire(i);
    refuse_queue();
    delayed_send(this, quarantine_.until() - now, atom::tick::value);
    return;
  }
  // The next call is let in as a probe.
  target_->quarantined_until.store(0);
}

void pool_actor::check_probe() {
  if (!probe_ || target_->at(*probe_)->running_since.load() != 0
      || target_->at(*probe_)->gone.load())
    return;
  probe_.reset();
  --target_->watched;
  quarantine_.record_success(home_system().clock().now());
  follow_quarantine();
}

// -- idle and leaving --------------------------------------------------------

void pool_actor::retire(size_t index) {
  auto& x = *target_->at(index);
  if (!x.handle || x.gone.exchange(true))
    return;
  x.vacant.store(true);
  send_exit(x.handle, caf::exit_reason::user_shutdown);
}

void pool_actor::retire_idle() {
  auto limit = (home_system().clock().now() - options_.idle_time)
                 .time_since_epoch()
                 .count();
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (x && x->handle && !x->gone.load() && x->idle_since.load() <= limit
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
  ++target_->watched;
  leave_if_drained();
}

void pool_actor::leave_if_drained() {
  if (!draining_ || !queue_.empty())
    return;
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (!x || !x->handle || x->gone.load())
      continue;
    if (!target_->free().claim_exactly(i))
      return; // it has a call
    retire(i);
  }
  quit(caf::exit_reason::user_shutdown);
}

void pool_actor::on_exit() {
  target_->pool(nullptr);
  for (auto& call : queue_) {
    call->finish({errc::shutting_down, "the function's pool ended"}, context());
    target_->left_queue();
  }
  queue_.clear();
  for (size_t i = 0; i < target_->limits().concurrency; ++i)
    if (auto x = target_->at(i); x && x->handle)
      send_exit(x->handle, target_->free().claim_exactly(i)
                             ? caf::exit_reason::user_shutdown
                             : caf::exit_reason::kill);
}

tree_node pool_actor::describe() const {
  auto now = home_system().clock().now().time_since_epoch().count();
  tree_node result;
  result.kind = "pool";
  result.name = target_->definition().name + ":"
                + std::to_string(target_->version());
  result.state = draining_ ? "stopping" : to_string(quarantine_.current());
  result.restarts = target_->restarts.load();
  result.last_reason = last_reason_;
  result.queue = static_cast<uint32_t>(queue_.size());
  for (size_t i = 0; i < target_->limits().concurrency; ++i) {
    auto x = target_->at(i);
    if (!x || !x->handle)
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
