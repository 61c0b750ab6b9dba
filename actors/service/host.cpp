#include "actors/service/host.hpp"

#include <algorithm>

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/service/activation.hpp"

namespace troupe {

namespace {

/// Activations that one tick passivates at most, so that calls come in between.
constexpr size_t passivations_per_tick = 1024;

/// Between two looks through a full queue.
constexpr std::chrono::milliseconds sweep_interval{10};

} // namespace

host_actor::host_actor(caf::actor_config& cfg, service_target_ptr target)
    : caf::event_based_actor(cfg), target_(std::move(target)) {
  // Not when it starts to run: a call may come as soon as it is spawned.
  target_->host(caf::actor{this});
}

caf::behavior host_actor::make_behavior() {
  return {
      [this](entity_message& msg) { forward(std::move(msg.call)); },
      [this](atom::tick) {
        ticking_ = false;
        passivate_idle();
        arm_tick();
      },
      [this](atom::wake) { leave_if_drained(); },
      [this](atom::describe) { return describe(); },
      [this](atom::drain) { drain(); },
  };
}

void host_actor::on_exit() {
  target_->host_left(caf::actor{this});
  for (auto& x : by_use_)
    send_exit(x.handle, caf::exit_reason::user_shutdown);
  by_key_.clear();
  by_use_.clear();
}

// -- calls -------------------------------------------------------------------

void host_actor::forward(ticket_ptr call) {
  auto& x = use(call->call().entity->key);
  // The one that runs is none of those that wait.
  if (x.record->pending.load() > target_->options().queue) {
    sweep(x);
    target_->count_rejected();
    call->finish(error{errc::too_many_requests, "too many calls wait for "
                                                    + target_->definition().name
                                                    + "/" + x.key}
                     .retry_after(1),
                 context());
    return;
  }
  call->assign(x.record);
  x.handle->enqueue(nullptr, caf::make_message_id(),
                    caf::make_message(entity_message{std::move(call)}),
                    context());
}

host_actor::entry& host_actor::use(const std::string& key) {
  auto i = by_key_.find(key);
  if (i == by_key_.end()) {
    by_use_.push_back({key, {}, {}, {}, {}});
    auto last = std::prev(by_use_.end());
    by_key_.emplace(last->key, last);
    start(*last);
    last->used = now();
    arm_tick();
    return *last;
  }
  auto& x = *i->second;
  by_use_.splice(by_use_.end(), by_use_, i->second);
  if (x.record->gone.load())
    start(x);
  x.used = now();
  return x;
}

void host_actor::start(entry& x) {
  target_->activations.fetch_add(1);
  x.record = caf::make_counted<activation_record>();
  x.handle = spawn<activation, caf::lazy_init>(target_, x.key, x.record);
}

void host_actor::sweep(entry& x) {
  auto time = now();
  if (time < x.swept + sweep_interval)
    return;
  x.swept = time;
  send(x.handle, atom::wake::value);
}

// -- passivation -------------------------------------------------------------

void host_actor::passivate_idle() {
  auto oldest = now() - target_->options().idle_time;
  for (size_t i = 0; i < passivations_per_tick && !by_use_.empty(); ++i) {
    auto& x = by_use_.front();
    if (x.used > oldest)
      return;
    if (x.record->pending.load() == 0) {
      passivate(x);
    } else {
      x.used = now();
      by_use_.splice(by_use_.end(), by_use_, by_use_.begin());
    }
  }
}

void host_actor::passivate(entry& x) {
  send_exit(x.handle, caf::exit_reason::user_shutdown);
  auto i = by_key_.find(x.key);
  auto place = i->second;
  by_key_.erase(i); // its key lives in the entry
  by_use_.erase(place);
}

void host_actor::arm_tick() {
  if (by_use_.empty() || std::exchange(ticking_, true))
    return;
  auto idle_time = target_->options().idle_time;
  auto due = by_use_.front().used + idle_time - now();
  delayed_send(this, std::max(due, idle_time / 16), atom::tick::value);
}

// -- its end -----------------------------------------------------------------

void host_actor::drain() {
  target_->drain();
  leave_if_drained();
}

void host_actor::leave_if_drained() {
  if (target_->draining() && target_->idle())
    quit(caf::exit_reason::user_shutdown);
}

// -- what `troupe tree` shows
// --------------------------------------------------

tree_node host_actor::describe() const {
  tree_node result;
  result.kind = "host";
  result.name = target_->definition().name;
  if (target_->draining())
    result.state = "stopping";
  result.queue = target_->stats().queued;
  auto count = std::min(described_max, by_use_.size());
  auto last = by_use_.rbegin();
  for (size_t i = 0; i < count; ++i, ++last)
    result.children.push_back(describe(*last));
  return result;
}

tree_node host_actor::describe(const entry& x) const {
  tree_node result;
  result.kind = "activation";
  result.name = x.key;
  result.queue = x.record->pending.load();
  auto since = x.record->running_since.load();
  if (auto method = x.record->method.load()) {
    result.handler = method->name;
    result.running_us = (now().time_since_epoch().count() - since) / 1000;
    result.queue -= std::min(result.queue, 1u);
  }
  return result;
}

time_point host_actor::now() const noexcept {
  return home_system().clock().now();
}

} // namespace troupe
