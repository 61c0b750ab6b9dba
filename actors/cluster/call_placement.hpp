// Where a call is to be run: the question that a node asks of whoever knows the
// shards and the nodes. Asked for every call, so the answer comes from a
// snapshot; when a peer says that it was wrong, the truth is asked once.

#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "actors/core/cluster_link.hpp"
#include "actors/core/expected.hpp"

namespace troupe {

/// Where one call is to be run.
struct placement {
  /// Null: on this node.
  peer_link_ptr peer;

  /// Set for calls of a service: what the peer has to own.
  std::optional<shard_claim> shard;
};

/// Thread-safe, never blocks.
class call_placement {
public:
  virtual ~call_placement() = default;

  /// @param name the function, or the service of `call.entity`
  virtual expected<placement> place(const invocation& call,
                                    std::string_view name) = 0;

  /// The last placement of `call` was wrong, or its peer was out of reach. Looks
  /// at the truth, then calls `done`, on any thread or before it returns.
  /// @param hint what the peer knows; its node may be empty
  virtual void refresh(const invocation& call, const owner_hint& hint,
                       std::function<void()> done) = 0;
};

/// What this node may run for others. Thread-safe, never blocks.
class call_admission {
public:
  virtual ~call_admission() = default;

  /// Nothing if this node owns the shard with that epoch; else what it knows.
  virtual std::optional<owner_hint>
  refuse(const shard_claim& claim) const noexcept = 0;
};

} // namespace troupe
