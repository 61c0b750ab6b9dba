#include "actors/service/host.hpp"

#include <algorithm>

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

/// Between two looks through a full queue.
constexpr std::chrono::milliseconds sweep_interval{10};

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
      passivate_idle();
      arm_tick();
    },
    [this](atom::wake) {
      passivate_released();
      leave_if_drained();
    },
    [this](atom::release, const std::string& key) { return release(key); },
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
  if (target_->draining() && !by_key_.contains(key)) {
    // A late one: the key may be active in the next build already.
    if (auto next = target_->successor()) {
      lender thread{system(), context(), false};
      next->submit(call->hand_on(), thread);
      return;
    }
  }
  if (!predecessor_ || by_key_.contains(key)) {
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
  if (predecessor_ && !by_key_.contains(key)) {
    // It may be active there; and calls of ours come first.
    asked_[key].push_back(promise);
    hold(key);
  } else {
    let_go(key, promise);
  }
  return promise;
}

void host_actor::let_go(const std::string& key, caf::response_promise promise) {
  auto i = by_key_.find(key);
  if (i == by_key_.end()) {
    promise.deliver(caf::unit);
    return;
  }
  auto& handle = i->second->handle;
  auto& entry = released_[handle.address()];
  entry.key = key;
  entry.successors.push_back(std::move(promise));
  monitor(handle);
  passivate_released();
}

void host_actor::passivate_released() {
  for (auto& [address, waiting] : released_)
    if (auto i = by_key_.find(waiting.key);
        i != by_key_.end() && i->second->record->pending.load() == 0)
      passivate(*i->second);
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
  if (waiting.empty())
    return;
  for (auto& promise : waiting.mapped().successors)
    promise.deliver(caf::unit);
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
    make_room();
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
    passivate_if_idle(x);
  }
}

void host_actor::make_room() {
  auto limit = std::max<size_t>(target_->options().activations, 1);
  for (size_t i = 0; i < looks_for_room && by_use_.size() >= limit; ++i)
    passivate_if_idle(by_use_.front());
}

void host_actor::passivate_if_idle(entry& x) {
  if (x.record->pending.load() == 0) {
    passivate(x);
  } else {
    x.used = now();
    by_use_.splice(by_use_.end(), by_use_, by_key_.at(x.key));
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
