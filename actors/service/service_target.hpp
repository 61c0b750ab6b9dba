// The part of a service that callers touch: it refuses what cannot be taken on
// (a full service, a cycle, a node that leaves) before any mailbox, and counts.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

#include <caf/actor.hpp>

#include "actors/core/backends.hpp"
#include "actors/core/interfaces.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/lending_credit.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/service/activation_table.hpp"
#include "actors/service/ticket.hpp"

namespace troupe {

class event_routes;
class work_outlet;

/// How many activations a node has, and how many it wants to have: past that
/// those used longest ago are passivated if they are idle. More only if calls
/// keep all of them busy.
struct activation_budget {
  explicit activation_budget(uint32_t most = defaults::service::activations)
    : limit(most) {}

  std::atomic<uint32_t> count{0};
  const uint32_t limit;

  /// Those that have not ended yet: passivated ones end a little later.
  std::atomic<uint32_t> alive{0};

  /// Waits until every activation has ended. Once their hosts have, they do as
  /// soon as the handler that they are in returns.
  void wait_until_all_ended() const noexcept {
    for (auto n = alive.load(); n > 0; n = alive.load())
      alive.wait(n);
  }
};

struct service_options {
  /// Calls that wait for one entity; past it: too_many_requests.
  uint32_t queue = defaults::service::queue;

  /// Calls that the whole service has under way.
  uint32_t in_flight = defaults::service::in_flight;

  /// What the services of a node share; null: a service's own.
  std::shared_ptr<activation_budget> budget{};

  /// Activations that were idle for so long are passivated.
  std::chrono::nanoseconds idle_time = defaults::service::idle_time;

  /// Whether the node may serve what it owns; null: always. Outlives every
  /// activation.
  const node_lease* lease = nullptr;

  /// Which entities the node owns; null: all. Outlives every activation.
  entity_ownership* ownership = nullptr;

  /// Where the work goes that entities send; null: they cannot. Outlives every
  /// activation.
  work_outlet* outlet = nullptr;

  /// What the events come to that entities publish; null: they cannot. Outlives
  /// every activation.
  event_routes* events = nullptr;

  /// Counts commits that were refused because a lock had moved on; null: nobody
  /// asks. What the services of a node share.
  std::shared_ptr<std::atomic<uint64_t>> locks_lost{};
};

class service_target final : public call_target {
public:
  /// `store` outlives every activation; see `activation_budget`.
  service_target(std::shared_ptr<const service_definition> definition,
                 state_store& store, const call_environment& env,
                 service_options options = {});

  // -- call_target -----------------------------------------------------------

  void submit(invocation_ptr call, lender& from) override;

  std::chrono::milliseconds timeout() const noexcept override {
    return definition_->timeout;
  }

  call_stats stats() const override;

  std::string_view kind() const noexcept override { return "service"; }

  // -- properties ------------------------------------------------------------

  const service_definition& definition() const noexcept { return *definition_; }

  const service_options& options() const noexcept { return options_; }

  const call_environment& environment() const noexcept { return env_; }

  state_store& store() const noexcept { return store_; }

  /// What takes the calls that still come here; null: nothing does.
  call_target_ptr successor() const;

  /// The host that runs now; null if there is none.
  caf::actor host_handle() const;

  // -- for the host ----------------------------------------------------------

  /// Where calls go; without one they are answered `shutting_down`.
  void host(caf::actor handle);

  /// `handle` ends; another one may have taken its place already.
  void host_left(const caf::actor& handle);

  /// Shards that the node does not own any more.
  using shard_set = std::shared_ptr<const std::vector<bool>>;

  /// Ends the activations of `shards`, once they are idle; calls for them are
  /// refused already. `done` is called when they are gone, on any thread.
  void let_go(shard_set shards, std::function<void()> done);

  /// A newer build of the service takes the calls that still come here. To be
  /// said before `drain`.
  void succeeded_by(call_target_ptr next);

  /// No new calls from now on; the host is woken whenever one has left.
  void drain() noexcept { draining_.store(true); }

  bool draining() const noexcept { return draining_.load(); }

  /// No call is under way.
  bool idle() const noexcept { return under_way_.load() == 0; }

  activation_table& table() noexcept { return table_; }

  activation_budget& budget() const noexcept { return *options_.budget; }

  /// An activation came, or went.
  void count_activation(int change) noexcept;

  /// Hands `call` to the activation of its key if there is one, or answers it
  /// if too many wait there. Else returns false.
  bool hand_over(ticket_ptr& call, lender& from);

  // -- for activations -------------------------------------------------------

  void entered_method() noexcept { add(running_, 1); }

  /// A method began `ns` ago, and its call is about to be answered.
  void left_method(int64_t ns, bool failed) noexcept;

  /// Code of the service ran for `ns` without a pause: it may run on the threads
  /// of callers as long as it is quick.
  void judge(int64_t ns) noexcept;

  /// Its methods may run on a thread that waits for something else.
  bool is_quick() const noexcept {
    return may_be_lent(credit_.load(std::memory_order_relaxed));
  }

  /// The shard of `key`; 0 if the node owns all.
  uint32_t shard_of(const std::string& key) const;

  /// Under which epoch the node owns `shard`: 0 if it does not; 1 if it owns all.
  uint64_t epoch(uint32_t shard) const noexcept {
    return options_.ownership ? options_.ownership->epoch(shard) : 1;
  }

  /// Whether the node may begin calls of what it has claimed under `claimed`.
  bool may_serve(uint32_t shard, uint64_t claimed,
                 time_point now) const noexcept {
    return epoch(shard) == claimed
           && (!options_.lease || options_.lease->valid(now));
  }

  /// Whether it may answer what it has begun: also while it gives the shard
  /// away, until it has.
  bool may_answer(uint32_t shard, uint64_t claimed,
                  time_point now) const noexcept {
    return (!options_.ownership || options_.ownership->held(shard) == claimed)
           && (!options_.lease || options_.lease->valid(now));
  }

  /// The host is to be woken whenever a call has left.
  void wake_host(bool always) noexcept { wake_host_.store(always); }

  /// A call's deadline passed in the queue.
  void count_late() noexcept { add(late_, 1); }

  /// A call that was under way is not any more.
  void left() noexcept;

private:
  template <class T>
  static void add(std::atomic<T>& x, std::type_identity_t<T> n) noexcept {
    x.fetch_add(n, std::memory_order_relaxed);
  }

  std::optional<error> refuse(const invocation& call) const;

  void answer_full(ticket_ptr call, const activation_ref& slot, lender& from);

  /// Has `slot` look through its queue, in which there may be calls that nobody
  /// waits for any more.
  void sweep(const activation_ref& slot, time_point now);

  std::shared_ptr<const service_definition> definition_;
  state_store& store_;
  const call_environment env_;
  const service_options options_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> wake_host_{false};
  mutable std::mutex mutex_; // guards host_ and successor_
  caf::actor host_;
  call_target_ptr successor_;
  activation_table table_;
  std::atomic<uint32_t> activations_{0};
  std::atomic<int64_t> swept_{0};
  std::atomic<int32_t> credit_{0}; // see core/lending_credit.hpp
  alignas(64) std::atomic<uint32_t> under_way_{0};
  std::atomic<uint32_t> running_{0};
  std::atomic<uint64_t> calls_{0};
  std::atomic<uint64_t> failures_{0};
  std::atomic<uint64_t> rejected_{0};
  std::atomic<uint64_t> late_{0};
  std::atomic<uint64_t> busy_ns_{0};
  std::array<std::atomic<uint64_t>, call_stats::buckets> durations_{};
};

using service_target_ptr = caf::intrusive_ptr<service_target>;

} // namespace troupe
