#include "actors/service/service_target.hpp"

#include <algorithm>
#include <bit>

#include <caf/message.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/module.hpp"
#include "actors/service/activation.hpp"
#include "actors/service/messages.hpp"

namespace troupe {

namespace {

bool is_on_path(const invocation& call) noexcept {
  auto& to = *call.entity;
  for (auto x = call.path.get(); x; x = x->outer.get())
    if (x->key == to.key && x->service == to.service)
      return true;
  return false;
}

error too_many(const std::string& what) {
  return error{errc::too_many_requests, what}.retry_after(1);
}

service_options complete(service_options options) {
  if (!options.budget)
    options.budget = std::make_shared<activation_budget>();
  return options;
}

/// Between two looks through full queues.
constexpr std::chrono::nanoseconds sweep_interval =
  std::chrono::milliseconds{10};

} // namespace

service_target::service_target(
  std::shared_ptr<const service_definition> definition, state_store& store,
  const call_environment& env, service_options options)
  : definition_(std::move(definition)), store_(store), env_(env),
    options_(complete(std::move(options))) {}

void service_target::submit(invocation_ptr call, lender& from) {
  if (auto reason = refuse(*call)) {
    if (*reason == errc::not_owner)
      call->turn_away(std::move(*reason), from.outer());
    else
      call->finish(std::move(*reason), from.outer());
    return;
  }
  if (draining()) {
    if (auto next = successor()) {
      next->submit(std::move(call), from);
      return;
    }
  }
  auto before = under_way_.fetch_add(1);
  // From here on its end is counted and answered, wherever it gets lost.
  auto admitted = caf::make_counted<ticket>(*this, std::move(call));
  if (before >= options_.in_flight) {
    add(rejected_, 1);
    admitted->finish(too_many("the service '" + definition_->name
                              + "' has too many calls under way"),
                     from.outer());
    return;
  }
  auto host = host_handle();
  // After the count: who drains sees the call, or the call sees the drain.
  if (!host || draining()) {
    if (auto next = successor()) {
      next->submit(admitted->hand_on(), from);
      return;
    }
    admitted->finish(
      error{errc::shutting_down, "the node is leaving"}.retry_after(1),
      from.outer());
    return;
  }
  if (hand_over(admitted, from))
    return;
  host->enqueue(nullptr, caf::make_message_id(),
                caf::make_message(entity_message{std::move(admitted)}),
                from.outer());
}

bool service_target::hand_over(ticket_ptr& call, lender& from) {
  auto& inner = call->call();
  auto visit = table_.enter(inner.entity->key, options_.queue,
                            inner.submitted.time_since_epoch().count());
  switch (visit.what) {
  case activation_table::entry::absent:
    return false;
  case activation_table::entry::full:
    answer_full(std::move(call), visit.slot, from);
    return true;
  case activation_table::entry::entered:
    break;
  }
  auto& actor = static_cast<activation&>(*visit.slot);
  auto keep = visit.slot;
  call->assign(std::move(visit.slot));
  auto runnable =
    may_be_lent(credit_.load(std::memory_order_relaxed)) && from.may_run();
  if (!runnable || !actor.run_here(call, from))
    actor.enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                            entity_message{std::move(call)}),
                  from.outer());
  return true;
}

void service_target::answer_full(ticket_ptr call, const activation_ref& slot,
                                 lender& from) {
  add(rejected_, 1);
  sweep(slot, call->call().submitted);
  auto& key = call->call().entity->key;
  call->finish(
    too_many("too many calls wait for " + definition_->name + "/" + key),
    from.outer());
}

void service_target::sweep(const activation_ref& slot, time_point now) {
  auto time = now.time_since_epoch().count();
  auto last = swept_.load(std::memory_order_relaxed);
  if (time < last + sweep_interval.count()
      || !swept_.compare_exchange_strong(last, time))
    return;
  slot->control->enqueue(nullptr, caf::make_message_id(),
                         caf::make_message(atom::wake::value), nullptr);
}

void service_target::count_activation(int change) noexcept {
  activations_.fetch_add(static_cast<uint32_t>(change));
  budget().count.fetch_add(static_cast<uint32_t>(change));
}

void service_target::judge(int64_t ns) noexcept {
  auto credit = credit_.load(std::memory_order_relaxed);
  auto next = credit_after(credit, std::chrono::nanoseconds{ns});
  if (next != credit)
    credit_.store(next, std::memory_order_relaxed);
}

std::optional<error> service_target::refuse(const invocation& call) const {
  if (!call.entity)
    return error{errc::bad_request,
                 "'" + definition_->name + "' is a service: it needs a key"};
  if (!is_valid_key(call.entity->key))
    return error{errc::bad_request, "a key is 1 to 512 bytes of UTF-8"};
  if (is_on_path(call))
    return error{errc::call_cycle, definition_->name + "/" + call.entity->key
                                     + " waits for this call itself"};
  if (call.path && call.path->depth >= defaults::service::path_length_max)
    return error{errc::call_cycle,
                 "too many entities wait for each other in one path"};
  if (!call.entity->locks.empty() && !store_.locks())
    return error{errc::not_implemented, "this store has no locks"};
  if (epoch(shard_of(call.entity->key)) == 0)
    return error{errc::not_owner, "this node does not own " + definition_->name
                                    + "/" + call.entity->key};
  return std::nullopt;
}

void service_target::host(caf::actor handle) {
  std::lock_guard guard{mutex_};
  host_ = std::move(handle);
}

void service_target::host_left(const caf::actor& handle) {
  std::lock_guard guard{mutex_};
  if (host_ == handle)
    host_ = nullptr;
}

caf::actor service_target::host_handle() const {
  std::lock_guard guard{mutex_};
  return host_;
}

void service_target::left_method(int64_t ns, bool failed) noexcept {
  auto length = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
  auto bucket = static_cast<size_t>(std::bit_width(length / 1000));
  add(durations_[std::min(bucket, call_stats::buckets - 1)], 1);
  add(busy_ns_, length);
  add(calls_, 1);
  add(failures_, failed ? 1 : 0);
  running_.fetch_sub(1, std::memory_order_relaxed);
}

uint32_t service_target::shard_of(const std::string& key) const {
  if (!options_.ownership)
    return 0;
  return options_.ownership->shard_of({definition_->name, key});
}

void service_target::let_go(shard_set shards, std::function<void()> done) {
  auto host = host_handle();
  if (!host)
    return done();
  host->enqueue(
    nullptr, caf::make_message_id(),
    caf::make_message(shards_message{std::move(shards), std::move(done)}),
    nullptr);
}

void service_target::succeeded_by(call_target_ptr next) {
  std::lock_guard guard{mutex_};
  successor_ = std::move(next);
}

call_target_ptr service_target::successor() const {
  std::lock_guard guard{mutex_};
  return successor_;
}

void service_target::left() noexcept {
  under_way_.fetch_sub(1);
  if (!draining() && !wake_host_.load())
    return;
  if (auto host = host_handle())
    host->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(atom::wake::value), nullptr);
}

call_stats service_target::stats() const {
  call_stats result;
  result.calls = calls_.load();
  result.failures = failures_.load();
  result.rejected = rejected_.load();
  result.late = late_.load();
  result.busy_ns = busy_ns_.load();
  result.instances = activations_.load();
  result.in_flight = running_.load();
  auto under_way = under_way_.load();
  result.queued = under_way - std::min(under_way, result.in_flight);
  for (size_t i = 0; i < call_stats::buckets; ++i)
    result.durations[i] = durations_[i].load();
  return result;
}

} // namespace troupe
