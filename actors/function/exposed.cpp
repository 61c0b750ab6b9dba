#include "actors/function/exposed.hpp"

#include <algorithm>

#include <caf/actor_system.hpp>

#include "actors/function/messages.hpp"

namespace troupe {

exposed_target::exposed_target(
  caf::actor_system& sys, std::shared_ptr<const exposed_definition> definition,
  function_limits limits, const call_environment& env)
  : sys_(sys), definition_(std::move(definition)), limits_(limits), env_(env) {}

void exposed_target::submit(invocation_ptr call, lender& from) {
  auto probe = false;
  if (auto reason = refuse(probe)) {
    call->finish(std::move(*reason), from.outer());
    return;
  }
  auto full =
    under_way_.fetch_add(1) >= uint64_t{limits_.concurrency} + limits_.queue;
  exposed_call message;
  message.probe = probe;
  message.call =
    caf::make_counted<admitted_call>(this, under_way_, std::move(call));
  if (full && !probe) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    message.call->finish(
      error{errc::too_many_requests,
            "the queue of '" + definition_->name + "' is full"}
        .retry_after(1),
      from.outer());
    return;
  }
  try {
    message.content = definition_->signature->arguments(message.call->call(),
                                                        message.content_type);
  } catch (...) {
    if (probe) // it tells nothing about the actor: the next one may try
      entry.store(door::probe);
    message.call->finish(error::from_exception(std::current_exception()),
                         from.outer());
    return;
  }
  caf::actor to;
  {
    std::lock_guard guard{mutex_};
    to = keeper_;
  }
  // Without a keeper the call is answered as it dies here.
  if (to)
    to->enqueue(nullptr, caf::make_message_id(),
                caf::make_message(std::move(message)), from.outer());
}

std::optional<error> exposed_target::refuse(bool& probe) {
  if (!definition_->signature)
    return error{errc::bad_request,
                 "'" + definition_->name
                   + "' has no signature: it is reached from C++ only"};
  auto now = entry.load();
  if (now == door::open)
    return std::nullopt;
  if (now == door::draining)
    return error{errc::shutting_down, "the node is leaving"}.retry_after(1);
  if (now == door::probe
      && entry.compare_exchange_strong(now, door::quarantined)) {
    probe = true;
    return std::nullopt;
  }
  rejected_.fetch_add(1, std::memory_order_relaxed);
  return quarantine_error();
}

caf::actor exposed_target::actor() const {
  std::lock_guard guard{mutex_};
  return actor_;
}

void exposed_target::keeper(caf::actor handle) {
  std::lock_guard guard{mutex_};
  keeper_ = std::move(handle);
}

void exposed_target::keeper_left(const caf::actor& handle) {
  std::lock_guard guard{mutex_};
  if (keeper_ == handle)
    keeper_ = nullptr;
}

void exposed_target::actor(caf::actor handle) {
  std::lock_guard guard{mutex_};
  actor_ = std::move(handle);
}

error exposed_target::quarantine_error() const {
  auto now = sys_.clock().now().time_since_epoch().count();
  auto left = quarantined_until.load(std::memory_order_relaxed) - now;
  auto seconds = left > 0 ? (left + 999'999'999) / 1'000'000'000 : 1;
  return error{errc::quarantined,
               "'" + definition_->name + "' crashed too often and rests"}
    .retry_after(static_cast<uint32_t>(seconds));
}

call_stats exposed_target::stats() const {
  call_stats result;
  result.calls = calls.get();
  result.failures = failures.get();
  result.rejected = rejected_.load();
  result.late = late.get();
  result.busy_ns = busy_ns.get();
  result.restarts = restarts.load();
  result.instances = actor() ? 1 : 0;
  result.in_flight = in_flight.load();
  auto under_way = under_way_.load();
  result.queued = under_way - std::min(under_way, result.in_flight);
  auto now = entry.load();
  result.quarantined = now == door::quarantined || now == door::probe;
  for (size_t i = 0; i < call_stats::buckets; ++i)
    result.durations[i] = durations[i].get();
  return result;
}

} // namespace troupe
