#include "actors/service/host.hpp"

#include <algorithm>

#include <malloc.h>

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/lender.hpp"
#include "actors/service/activation.hpp"

namespace troupe {

namespace {

/// Activations that one tick passivates at most, so that calls come in between.
constexpr size_t passivations_per_tick = 1024;

/// Activations that are looked at for each one above the limit.
constexpr size_t looks_for_room = 8;

/// Activations that ended, after which memory may be worth giving back.
constexpr size_t freed_worth_a_look = 16384;

int64_t ns(time_point t) noexcept {
  return t.time_since_epoch().count();
}

} // namespace

host_actor::host_actor(caf::actor_config& cfg, service_target_ptr target,
                       caf::actor predecessor)
  : caf::event_based_actor(cfg), target_(std::move(target)),
    predecessor_(std::move(predecessor)) {
  // Not when it starts to run: a call may come as soon as it is spawned.
  target_->host(caf::actor{this});
}

caf::behavior host_actor::make_behavior() {
  set_down_handler([this](caf::down_msg& msg) { gone(msg); });
  if (predecessor_)
    monitor(predecessor_);
  return {
    [this](entity_message& msg) { receive(std::move(msg.call)); },
    [this](atom::tick) {
      ticking_ = false;
      auto before = freed_;
      passivate_idle();
      if (freed_ == before)
        give_memory_back();
      arm_tick();
    },
    [this](atom::wake) {
      passivate_released();
      leave_if_drained();
    },
    [this](atom::release, const std::string& key) { return release(key); },
    [this](shards_message& msg) { let_go(msg); },
    [this](atom::describe) { return describe(); },
    [this](atom::drain) { drain(); },
  };
}

void host_actor::on_exit() {
  target_->host_left(caf::actor{this});
  while (!by_use_.empty()) {
    activation_ref x{&by_use_.front()};
    forget(*x);
    caf::anon_send_exit(caf::actor_cast<caf::actor>(x->control),
                        caf::exit_reason::user_shutdown);
  }
  // Their tickets answer. Not when this object dies: the predecessor may keep
  // it for as long as it owes us an answer.
  held_.clear();
  // The hosts of two builds refer to each other: whoever waits for this one sees
  // its end.
  asked_.clear();
  released_.clear();
  predecessor_ = nullptr;
}

// -- from one build to the next ----------------------------------------------

void host_actor::receive(ticket_ptr call) {
  auto& key = call->call().entity->key;
  auto here = active(key);
  if (target_->draining() && !here) {
    // A late one: the key may be active in the next build already.
    if (auto next = target_->successor()) {
      lender thread{system(), context(), false};
      next->submit(call->hand_on(), thread);
      return;
    }
  }
  if (!predecessor_ || here) {
    forward(std::move(call));
    return;
  }
  hold(key).push_back(std::move(call));
}

std::vector<ticket_ptr>& host_actor::hold(const std::string& key) {
  auto [held, first] = held_.try_emplace(key);
  if (first)
    // It answers, or its end is seen: the monitor is the time limit.
    request(predecessor_, caf::infinite, atom::release::value, key)
      .then([this, key](caf::unit_t) { take_over(key); },
            [this, key](caf::error&) { take_over(key); });
  return held->second;
}

void host_actor::take_over(const std::string& key) {
  auto held = held_.extract(key);
  if (held.empty())
    return;
  for (auto& call : held.mapped())
    forward(std::move(call));
  if (auto asked = asked_.extract(key))
    for (auto& promise : asked.mapped())
      let_go(key, std::move(promise));
}

caf::result<caf::unit_t> host_actor::release(const std::string& key) {
  target_->drain(); // or it would start again
  auto promise = make_response_promise();
  if (predecessor_ && !active(key)) {
    // It may be active there; and calls of ours come first.
    asked_[key].push_back(promise);
    hold(key);
  } else {
    let_go(key, promise);
  }
  return promise;
}

void host_actor::let_go(const std::string& key, caf::response_promise promise) {
  auto slot = target_->table().find(key);
  if (!slot) {
    promise.deliver(caf::unit);
    return;
  }
  wait_for_end(*slot).successors.push_back(std::move(promise));
  passivate_released();
}

host_actor::wait& host_actor::wait_for_end(activation_slot& slot) {
  auto handle = caf::actor_cast<caf::actor>(slot.control);
  auto [i, is_new] = released_.try_emplace(handle.address());
  if (is_new) {
    i->second.key = slot.key;
    monitor(handle);
  }
  // Before it is looked at: a call that leaves later wakes us.
  target_->wake_host(true);
  return i->second;
}

void host_actor::let_go(const shards_message& msg) {
  std::shared_ptr<void> all{nullptr, [done = msg.done](void*) { done(); }};
  for (auto& x : by_use_)
    if ((*msg.shards)[x.shard])
      wait_for_end(x).latches.push_back(all);
  passivate_released();
}

void host_actor::passivate_released() {
  for (auto& [address, waiting] : released_)
    if (auto slot = target_->table().find(waiting.key))
      passivate(*slot);
}

void host_actor::gone(const caf::down_msg& msg) {
  if (predecessor_ && msg.source == predecessor_.address()) {
    predecessor_ = nullptr;
    while (!held_.empty())
      take_over(std::string{held_.begin()->first});
    leave_if_drained();
    return;
  }
  auto waiting = released_.extract(msg.source);
  target_->wake_host(!released_.empty());
  if (waiting.empty())
    return;
  for (auto& promise : waiting.mapped().successors)
    promise.deliver(caf::unit);
}

// -- calls -------------------------------------------------------------------

bool host_actor::active(const std::string& key) const {
  auto slot = target_->table().find(key);
  return slot && !slot->gone.load();
}

void host_actor::forward(ticket_ptr call) {
  lender thread{system(), context(), false};
  if (target_->hand_over(call, thread))
    return;
  start(call->call().entity->key);
  // It may end at once, and then nobody is there: the call is answered as it
  // dies here.
  target_->hand_over(call, thread);
}

void host_actor::start(const std::string& key) {
  if (auto before = target_->table().find(key))
    forget(*before); // gone
  make_room();
  auto handle = spawn<activation, caf::lazy_init>(target_, key);
  auto& x =
    *static_cast<activation*>(caf::actor_cast<caf::abstract_actor*>(handle));
  target_->count_activation(1);
  x.placed = ns(now());
  x.used.store(x.placed);
  by_use_.push_back(x);
  target_->table().add(x);
  arm_tick();
}

// -- passivation -------------------------------------------------------------

void host_actor::forget(activation_slot& x) {
  by_use_.erase(by_use_.iterator_to(x));
  target_->count_activation(-1);
  target_->table().remove(x);
}

void host_actor::passivate_idle() {
  auto oldest = ns(now() - target_->options().idle_time);
  for (size_t i = 0; i < passivations_per_tick && !by_use_.empty(); ++i) {
    if (by_use_.front().placed > oldest)
      return;
    passivate_first(oldest);
  }
}

void host_actor::make_room() {
  auto& budget = target_->budget();
  for (size_t i = 0; i < looks_for_room && !by_use_.empty()
                     && budget.count.load() >= budget.limit;
       ++i) {
    // Used since it was looked at last: a second chance, but not for ever.
    auto& first = by_use_.front();
    passivate_first(i + 1 < looks_for_room ? first.placed : ns(now()));
  }
}

void host_actor::passivate_first(int64_t limit) {
  auto& x = by_use_.front();
  auto used = x.used.load(std::memory_order_relaxed);
  if (used <= limit && passivate(x))
    return;
  x.placed = used > limit ? used : ns(now()); // it has calls
  by_use_.splice(by_use_.end(), by_use_, by_use_.begin());
}

bool host_actor::passivate(activation_slot& x) {
  activation_ref keep{&x};
  if (!target_->table().remove_if_idle(x))
    return false;
  by_use_.erase(by_use_.iterator_to(x));
  ++freed_;
  target_->count_activation(-1);
  send_exit(caf::actor_cast<caf::actor>(x.control),
            caf::exit_reason::user_shutdown);
  return true;
}

void host_actor::give_memory_back() {
  // Small blocks that were freed lie between others: the allocator gives their
  // pages back only when it is told to look for them.
  if (std::exchange(freed_, 0) >= freed_worth_a_look)
    ::malloc_trim(0);
}

void host_actor::arm_tick() {
  if ((by_use_.empty() && freed_ == 0) || std::exchange(ticking_, true))
    return;
  auto idle_time = target_->options().idle_time;
  if (by_use_.empty()) {
    // They end meanwhile.
    delayed_send(this, idle_time / 16, atom::tick::value);
    return;
  }
  auto due =
    std::chrono::nanoseconds{by_use_.front().placed - ns(now())} + idle_time;
  // What one tick leaves behind does not wait for the next: keys may come
  // faster than so.
  if (due.count() <= 0)
    send(this, atom::tick::value);
  else
    delayed_send(this, std::max(due, idle_time / 16), atom::tick::value);
}

// -- its end -----------------------------------------------------------------

void host_actor::drain() {
  target_->drain();
  leave_if_drained();
}

void host_actor::leave_if_drained() {
  // Not while it stands between its successor and its predecessor.
  if (target_->draining() && target_->idle() && !predecessor_)
    quit(caf::exit_reason::user_shutdown);
}

// -- what `troupe tree` shows -----------------------------------------------

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

tree_node host_actor::describe(const activation_slot& x) const {
  tree_node result;
  result.kind = "activation";
  result.name = x.key;
  result.queue = x.pending.load();
  auto since = x.running_since.load();
  if (auto method = x.method.load()) {
    result.handler = method->name;
    result.running_us = (ns(now()) - since) / 1000;
    result.queue -= std::min(result.queue, 1u);
  }
  return result;
}

time_point host_actor::now() const noexcept {
  return home_system().clock().now();
}

} // namespace troupe
