// The part of a pool that callers touch: claim a slot by compare-and-set, hand
// the call over, wake the instance. Only when no slot is free does a call go to
// the pool's actor, and only so many may wait there: the bound comes before the
// mailbox, which has none.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <caf/actor.hpp>

#include "actors/core/interfaces.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "actors/function/slot.hpp"
#include "actors/model/slots.hpp"

namespace troupe {

class function_target final : public call_target {
public:
  function_target(caf::actor_system& sys,
                  std::shared_ptr<const function_definition> definition,
                  uint64_t version, function_limits limits,
                  const call_environment& env);

  // -- call_target -----------------------------------------------------------

  void submit(invocation_ptr call, lender& from) override;

  std::chrono::milliseconds timeout() const noexcept override {
    return limits_.timeout;
  }

  call_stats stats() const override;

  std::string_view kind() const noexcept override { return "function"; }

  bool has_room() const noexcept override {
    return instances.load(std::memory_order_relaxed) < limits_.concurrency
           || free_.free() > 0;
  }

  // -- properties ------------------------------------------------------------

  const function_definition& definition() const noexcept {
    return *definition_;
  }

  const function_limits& limits() const noexcept { return limits_; }

  uint64_t version() const noexcept { return version_; }

  const call_environment& environment() const noexcept { return env_; }

  caf::actor_system& system() const noexcept { return sys_; }

  // -- for the pool ----------------------------------------------------------

  /// Where calls go that find no free slot; null: they are answered
  /// `shutting_down`.
  void pool(caf::actor handle);

  /// `handle` ended: no calls go there any more.
  void pool_left(const caf::actor& handle);

  /// Null if the slot never had an instance.
  slot* at(size_t index) const noexcept {
    return slots_[index].load(std::memory_order_acquire);
  }

  /// The slot `index`, made if it was not there.
  slot& make(size_t index);

  /// Hands `call` to the instance in the claimed slot `index`.
  void hand_over(size_t index, invocation_ptr call, lender& from);

  troupe::slots& free() noexcept { return free_; }

  /// As long as it is not 0, each release wakes the pool, and calls do not pass
  /// it by.
  std::atomic<uint32_t> watched{0};

  /// While it is held every call goes to the pool, and every slot that is freed
  /// wakes it.
  void hold() noexcept { waiting_.fetch_add(1); }

  void let_go() noexcept { waiting_.fetch_sub(1); }

  /// A wake-up of the pool was seen, or is lost.
  void seen_wake() noexcept { woken_.store(false); }

  /// Calls that were late in the queue.
  std::atomic<uint64_t> late{0};

  error quarantine_error() const;

  /// How many slots have an instance.
  std::atomic<uint32_t> instances{0};

  /// No new calls: the node leaves.
  std::atomic<bool> draining{false};

  /// While it is not 0 calls fail fast; in ns of the clock, when to retry.
  std::atomic<int64_t> quarantined_until{0};

  std::atomic<uint32_t> restarts{0};

  // -- for instances ---------------------------------------------------------

  /// The instance in slot `index` has no call any more.
  void release(size_t index, caf::execution_unit* host);

  /// The call that the instance in `index` did not take before it ended goes to
  /// the queue: it was never started.
  void rescue(size_t index, caf::execution_unit* host);

private:
  void enqueue(invocation_ptr call, caf::execution_unit* host);
  caf::actor pool_handle() const;

  caf::actor_system& sys_;
  std::shared_ptr<const function_definition> definition_;
  const uint64_t version_;
  const function_limits limits_;
  const call_environment env_;
  troupe::slots free_;
  std::vector<std::atomic<slot*>> slots_;
  std::vector<std::unique_ptr<slot>> owned_; // written by the pool
  alignas(64) std::atomic<uint32_t> waiting_{0};
  std::atomic<bool> woken_{false};
  std::atomic<uint64_t> rejected_{0};
  mutable std::mutex mutex_; // guards pool_, off the fast path
  caf::actor pool_;
};

using function_target_ptr = caf::intrusive_ptr<function_target>;

} // namespace troupe
