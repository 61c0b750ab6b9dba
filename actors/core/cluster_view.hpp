// Who is there and who owns what, as an immutable snapshot. The membership
// makes a new one when something changes; callers read the last one without a
// lock, as they do with routes (route_table.hpp). It may be old: what a call
// does with it is checked where the call arrives.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/cluster_backends.hpp"

namespace troupe {

/// Who owns one shard.
struct shard_place {
  static constexpr uint32_t nobody = UINT32_MAX;

  /// An index in `cluster_view::nodes`; `nobody` if it has no owner, or one
  /// that is down.
  uint32_t node = nobody;

  uint64_t epoch = 0;

  friend bool operator==(const shard_place&, const shard_place&) = default;
};

struct cluster_view {
  /// This node's incarnation; empty before it has joined.
  std::string self;

  /// All that are not down, by incarnation. Their counters are 0: they change
  /// all the time.
  std::vector<lease_row> nodes;

  std::vector<shard_place> shards;

  /// Null if there is no such.
  const lease_row* find(std::string_view incarnation) const noexcept;

  /// This node's row; null before it has joined, and after it has left.
  const lease_row* own() const noexcept { return find(self); }

  /// The owner of `shard`; null if it has none now.
  const lease_row* owner(uint32_t shard) const noexcept;

  /// How many shards a node owns.
  uint32_t shards_of(std::string_view incarnation) const noexcept;

  /// The shard of an entity. @pre there are shards
  uint32_t shard_of(std::string_view service,
                    std::string_view key) const noexcept;

  friend bool operator==(const cluster_view&, const cluster_view&) = default;
};

/// Publishes snapshots. Thread-safe.
class cluster_source {
public:
  cluster_source() : view_(std::make_shared<cluster_view>()) {}

  void publish(std::shared_ptr<const cluster_view> view);

  std::shared_ptr<const cluster_view> load() const;

  /// Called after each, by whoever published it, under a lock: it only sends a message. May be empty.
  void on_publish(std::function<void()> f);

  /// Rises with each snapshot.
  uint64_t version() const noexcept {
    return version_.load(std::memory_order_acquire);
  }

private:
  mutable std::mutex mutex_; // taken when a view changes, not by a call
  std::shared_ptr<const cluster_view> view_;
  std::function<void()> on_publish_;
  std::atomic<uint64_t> version_{1};
};

/// One caller's view of the cluster. Not thread-safe: each has its own.
class cluster_reader {
public:
  explicit cluster_reader(const cluster_source& source) : source_(&source) {}

  const cluster_view& operator*() {
    auto newest = source_->version();
    if (newest != version_) {
      view_ = source_->load();
      version_ = newest;
    }
    return *view_;
  }

  const cluster_view* operator->() { return &**this; }

private:
  const cluster_source* source_;
  uint64_t version_ = 0;
  std::shared_ptr<const cluster_view> view_;
};

} // namespace troupe
