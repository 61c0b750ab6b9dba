#include "actors/function/instance.hpp"

#include <algorithm>

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/deadline_keeper.hpp"
#include "actors/core/lending_credit.hpp"
#include "actors/core/submit.hpp"

namespace troupe {

namespace {

int64_t ns(time_point t) noexcept {
  return t.time_since_epoch().count();
}

} // namespace

instance::instance(caf::actor_config& cfg, function_target_ptr target,
                   size_t index)
  : caf::event_based_actor(cfg), target_(std::move(target)), index_(index),
    slot_(*target_->at(index)), routes_(target_->environment().routes) {}

instance::~instance() = default;

caf::behavior instance::make_behavior() {
  return {
    [this](atom::run) { take(); },
    [this](atom::resume, uint64_t wait) { go_on(wait); },
  };
}

void instance::take() {
  invocation_ptr call{slot_.assigned.exchange(nullptr), false};
  if (call && begin(std::move(call), ns(now())))
    answer(context());
}

bool instance::run_here(invocation_ptr& call, lender& thread) {
  if (!mailbox().try_unblock())
    return false;
  context(&thread);
  auto began = ns(call->submitted);
  auto ended = begin(std::move(call), began);
  auto done = ended ? std::exchange(call_, nullptr) : nullptr;
  auto& target = *target_;
  // From here on another thread may run this actor, and end it.
  context(nullptr);
  if (!mailbox().try_block()) {
    intrusive_ptr_add_ref(ctrl());
    thread.exec_later(this);
  }
  if (done) {
    target.release(index_, &thread);
    done->finish(&thread);
  }
  return true;
}

bool instance::begin(invocation_ptr call, int64_t began) {
  call_ = std::move(call);
  if (!call_->start())
    return true; // given up
  if (began >= ns(call_->deadline)) {
    slot_.late.add(1);
    call_->fail({errc::deadline_exceeded, "the deadline passed in the queue"});
    return true;
  }
  slot_.running_since.store(began, std::memory_order_relaxed);
  view_.emplace(*this, *call_);
  view_->first_wait(last_wait_);
  try {
    task_ = target_->definition().code->run(*view_, *call_);
    if (task_)
      task_.start();
  } catch (...) {
    call_->fail(error::from_exception(std::current_exception()));
  }
  return end_if_done(began);
}

void instance::go_on(uint64_t wait) {
  if (!call_)
    return;
  auto began = ns(now());
  if (view_->resume(wait) && end_if_done(began))
    answer(context());
}

bool instance::end_if_done(int64_t segment_began) {
  auto now_ns = ns(now());
  judge(now_ns - segment_began);
  if (task_) {
    if (!task_.done())
      return false;
    try {
      task_.take();
    } catch (...) {
      call_->fail(error::from_exception(std::current_exception()));
    }
    task_ = {};
  }
  slot_.count(now_ns - slot_.running_since.load(std::memory_order_relaxed));
  slot_.idle_since.store(now_ns, std::memory_order_relaxed);
  slot_.running_since.store(0, std::memory_order_relaxed);
  if (call_->has_failed())
    slot_.failures.add(1);
  last_wait_ = view_->last_wait();
  view_.reset();
  return true;
}

void instance::answer(caf::execution_unit* host) {
  auto call = std::exchange(call_, nullptr);
  target_->release(index_, host);
  call->finish(host);
}

void instance::judge(int64_t segment_ns) noexcept {
  slot_.credit =
    credit_after(slot_.credit, std::chrono::nanoseconds{segment_ns});
}

void instance::on_exit() {
  slot_.gone.store(true);
  target_->rescue(index_, context());
  task_ = {};
  view_.reset();
  slot_.running_since.store(0, std::memory_order_relaxed);
  if (auto call = std::exchange(call_, nullptr)) {
    slot_.vacant.store(true);
    call->finish({errc::instance_lost, "the instance ended in the call"},
                 context());
  }
  // The target's slot keeps a handle of this actor, and the routes keep the
  // target: end the circles.
  routes_ = route_view{target_->environment().routes};
  target_ = nullptr;
}

// -- call_host ---------------------------------------------------------------

time_point instance::now() const noexcept {
  return home_system().clock().now();
}

void instance::submit(invocation_ptr call, std::string_view name) {
  submit_nested(target_->environment(), *routes_, std::move(call), name,
                home_system(), context());
}

void instance::resume_after(std::chrono::nanoseconds delay, uint64_t wait) {
  delayed_send(this, delay, atom::resume::value, wait);
}

void instance::resume(uint64_t wait, caf::execution_unit* host) noexcept {
  ctrl()->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(atom::resume::value, wait), host);
}

const service_definition* instance::service_of(const std::type_info& type) {
  auto& table = *routes_;
  auto i = table.classes.find(std::type_index{type});
  return i != table.classes.end() ? i->second.get() : nullptr;
}

} // namespace troupe
