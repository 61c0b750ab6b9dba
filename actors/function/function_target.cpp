#include "actors/function/function_target.hpp"

#include <caf/actor_system.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/lending_credit.hpp"
#include "actors/function/instance.hpp"
#include "actors/function/messages.hpp"

namespace troupe {

function_target::function_target(
  caf::actor_system& sys, std::shared_ptr<const function_definition> definition,
  uint64_t version, function_limits limits, const call_environment& env)
  : sys_(sys), definition_(std::move(definition)), version_(version),
    limits_(limits), env_(env), free_(limits.concurrency),
    slots_(limits.concurrency), owned_(limits.concurrency) {}

void function_target::submit(invocation_ptr call, lender& from) {
  if (draining.load(std::memory_order_relaxed)) {
    call->finish(
      error{errc::shutting_down, "the node is leaving"}.retry_after(1),
      from.outer());
    return;
  }
  if (quarantined_until.load(std::memory_order_relaxed) != 0) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    call->finish(quarantine_error(), from.outer());
    return;
  }
  // Who waits in the queue comes first.
  if (waiting_.load(std::memory_order_relaxed) == 0
      && watched.load(std::memory_order_relaxed) == 0) {
    if (auto index = free_.claim()) {
      hand_over(*index, std::move(call), from);
      return;
    }
  }
  enqueue(std::move(call), from.outer());
}

void function_target::hand_over(size_t index, invocation_ptr call,
                                lender& from) {
  auto& to = *at(index);
  // The instance may be retired as soon as it has answered.
  caf::actor keep = to.handle;
  auto actor = to.actor;
  auto runnable = !limits_.blocking && may_be_lent(to.credit) && from.may_run();
  if (runnable && actor->run_here(call, from))
    return;
  to.assigned.store(call.detach());
  // Either we see that it is gone, or who declares it gone sees the call.
  if (to.gone.load()) {
    rescue(index, from.outer());
    return;
  }
  actor->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                           atom::run::value),
                 from.outer());
}

void function_target::enqueue(invocation_ptr call, caf::execution_unit* host) {
  // Room for those that a new instance will take, and for the queue.
  auto unborn =
    limits_.concurrency - std::min(instances.load(), limits_.concurrency);
  auto full = waiting_.fetch_add(1) >= uint64_t{limits_.queue} + unborn;
  auto admitted =
    caf::make_counted<admitted_call>(this, waiting_, std::move(call));
  if (full) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    admitted->finish(error{errc::too_many_requests,
                           "the queue of '" + definition_->name + "' is full"}
                       .retry_after(1),
                     host);
    return;
  }
  // Without a pool the call is answered as it dies here.
  if (auto pool = pool_handle())
    pool->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(waiting_call{std::move(admitted)}), host);
}

void function_target::release(size_t index, caf::execution_unit* host) {
  free_.release(index);
  // Sequentially consistent on both sides: a waiting call is seen here, or it
  // sees the free slot.
  if ((waiting_.load() == 0 && watched.load() == 0) || woken_.exchange(true))
    return;
  if (auto pool = pool_handle())
    pool->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(atom::wake::value), host);
}

void function_target::rescue(size_t index, caf::execution_unit* host) {
  invocation_ptr call{at(index)->assigned.exchange(nullptr), false};
  if (!call)
    return;
  at(index)->vacant.store(true);
  enqueue(std::move(call), host);
}

slot& function_target::make(size_t index) {
  if (!owned_[index]) {
    owned_[index] = std::make_unique<slot>();
    slots_[index].store(owned_[index].get(), std::memory_order_release);
  }
  return *owned_[index];
}

void function_target::pool(caf::actor handle) {
  std::lock_guard guard{mutex_};
  pool_ = std::move(handle);
}

void function_target::pool_left(const caf::actor& handle) {
  std::lock_guard guard{mutex_};
  if (pool_ == handle)
    pool_ = nullptr;
}

caf::actor function_target::pool_handle() const {
  std::lock_guard guard{mutex_};
  return pool_;
}

error function_target::quarantine_error() const {
  auto now = sys_.clock().now().time_since_epoch().count();
  auto left = quarantined_until.load(std::memory_order_relaxed) - now;
  auto seconds = left > 0 ? (left + 999'999'999) / 1'000'000'000 : 1;
  return error{errc::quarantined,
               "'" + definition_->name + "' crashed too often and rests"}
    .retry_after(static_cast<uint32_t>(seconds));
}

call_stats function_target::stats() const {
  call_stats result;
  result.instances = instances.load();
  result.queued = waiting_.load();
  result.rejected = rejected_.load();
  result.late = late.load();
  result.restarts = restarts.load();
  result.quarantined = quarantined_until.load() != 0;
  for (auto& entry : slots_) {
    auto x = entry.load(std::memory_order_acquire);
    if (!x)
      continue;
    result.calls += x->calls.get();
    result.failures += x->failures.get();
    result.late += x->late.get();
    result.busy_ns += x->busy_ns.get();
    result.in_flight += x->running_since.load() != 0;
    for (size_t i = 0; i < call_stats::buckets; ++i)
      result.durations[i] += x->durations[i].get();
  }
  return result;
}

} // namespace troupe
