// What the membership of a node tells the rest of it: which entities it owns,
// how long it may serve them, and how the cluster looks. It outlives the
// membership, which writes it, and the activations, which read it from any
// thread.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_view.hpp"
#include "actors/model/boot_time.hpp"
#include "actors/model/own_lease.hpp"

namespace troupe {

/// CLOCK_BOOTTIME: also sees the time in which the machine slept.
boot_time boot_now() noexcept;

/// The shards that this node owns.
class owned_shards final : public entity_ownership {
public:
  explicit owned_shards(uint32_t count) : epochs_(count) {}

  uint32_t count() const noexcept {
    return static_cast<uint32_t>(epochs_.size());
  }

  // -- entity_ownership ------------------------------------------------------

  uint32_t shard_of(const entity_id& entity) const noexcept override;

  uint64_t epoch(uint32_t shard) const noexcept override {
    auto x = epochs_[shard].load(std::memory_order_seq_cst);
    return x & leaving ? 0 : x;
  }

  uint64_t held(uint32_t shard) const noexcept override {
    return epochs_[shard].load(std::memory_order_seq_cst) & ~leaving;
  }

  std::optional<shard_ownership> find(uint32_t shard) const override;

  void doubt(uint32_t shard) noexcept override;

  // -- for the membership ----------------------------------------------------

  /// Whose ownerships these are from now on; it has none yet.
  void begin(std::string incarnation);

  void set(uint32_t shard, uint64_t epoch) noexcept {
    epochs_[shard].store(epoch, std::memory_order_seq_cst);
  }

  /// No calls of `shard` begin from now on; those that did may be answered.
  void set_leaving(uint32_t shard, uint64_t epoch) noexcept {
    epochs_[shard].store(epoch | leaving, std::memory_order_seq_cst);
  }

  /// Called with a shard whose ownership is doubted, on any thread; may be
  /// empty.
  void on_doubt(std::function<void()> f);

private:
  /// A bit that no epoch gets to.
  static constexpr uint64_t leaving = uint64_t{1} << 63;

  mutable std::mutex mutex_; // guards what follows
  std::string incarnation_;
  std::function<void()> on_doubt_;
  std::vector<std::atomic<uint64_t>> epochs_;
};

/// This node's lease, by a clock of its own.
class membership_lease final : public node_lease {
public:
  membership_lease(std::chrono::nanoseconds length,
                   std::function<boot_time()> now)
    : lease_(length), now_(std::move(now)) {}

  bool valid(std::chrono::steady_clock::time_point) const noexcept override {
    return lease_.valid(now_());
  }

  bool valid() const noexcept { return lease_.valid(now_()); }

  void renewed(boot_time sent) noexcept { lease_.renewed(sent); }

  void end() noexcept { lease_.end(); }

private:
  own_lease lease_;
  std::function<boot_time()> now_;
};

/// For metrics.
struct cluster_counts {
  /// From the last sign of life of a node to the moment when this node owned
  /// some of its shards: the last one, and the longest.
  std::atomic<int64_t> takeover_ns{0};
  std::atomic<int64_t> takeover_ns_max{0};

  /// Shards that this node took from dead ones, got, and gave.
  std::atomic<uint64_t> taken{0};
  std::atomic<uint64_t> got{0};
  std::atomic<uint64_t> given{0};

  /// Nodes that this one has declared dead.
  std::atomic<uint64_t> declared{0};

  /// How often this node was declared dead.
  std::atomic<uint64_t> fenced{0};

  std::atomic<uint64_t> renewals{0};
  std::atomic<uint64_t> renewals_failed{0};
};

struct cluster_state {
  /// @param shards the same on all nodes
  /// @param lease how long a renewal is good
  /// @param now for a simulator
  explicit cluster_state(uint32_t shards,
                         std::chrono::nanoseconds lease = default_lease,
                         std::function<boot_time()> now = boot_now)
    : owned(shards), lease(lease, now), clock(std::move(now)) {}

  static constexpr std::chrono::nanoseconds default_lease =
    std::chrono::seconds{2};

  owned_shards owned;
  membership_lease lease;
  cluster_source views;
  cluster_counts counts;

  /// The last renewal failed.
  std::atomic<bool> store_is_away{false};

  const std::function<boot_time()> clock;
};

} // namespace troupe
