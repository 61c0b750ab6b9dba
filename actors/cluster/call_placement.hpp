// Where a call is to be run: the question that a node asks of whoever knows the
// shards and the nodes. Asked for every call, so the answer comes from a
// snapshot; when it was wrong, or nobody is there for a call at the moment, the
// call is held until there is news.

#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "actors/core/cluster_link.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/interfaces.hpp"

namespace troupe {

/// Where one call is to be run.
struct placement {
  /// Null: on this node.
  peer_link_ptr peer;

  /// Set for calls of a service: what the peer has to own.
  std::optional<shard_claim> shard;
};

/// A placement that came to nothing; the call did not begin.
struct failed_placement {
  /// What the peer was to own; nothing for a function, or if there was no try.
  std::optional<shard_claim> shard;

  /// Whoever was to run it, a peer or this node, has answered that it does not
  /// own it, or may not serve it at the moment.
  bool was_refused = false;

  /// What the peer knows; its node may be empty. If it is no news, another try at
  /// the same place has a chance later: the peer's lease may be valid again.
  owner_hint hint;
};

/// Thread-safe, never blocks.
class call_placement {
public:
  virtual ~call_placement() = default;

  /// Fails with `not_owner` if nobody is there for it now, and with
  /// `store_unavailable` if nobody will be as long as the store is away.
  /// @param name the function, or the service of `call.entity`
  /// @param here what would run it on this node
  virtual expected<placement> place(const invocation& call,
                                    std::string_view name,
                                    const call_target& here) = 0;

  /// The last placement of `call` came to nothing. Looks at the truth, and waits
  /// until another try has a chance, then calls `done`: on any thread, or before
  /// it returns. An error if there is no use in another try: what to answer.
  virtual void refresh(const invocation& call, const failed_placement& last,
                       std::function<void(expected<void>)> done) = 0;
};

/// What this node may run for others. Thread-safe, never blocks.
class call_admission {
public:
  virtual ~call_admission() = default;

  /// Nothing if this node owns the shard with that epoch; else what it knows.
  virtual std::optional<owner_hint>
  refuse(const shard_claim& claim) const noexcept = 0;

  /// A call that was refused may wait here: it does if this node is the owner
  /// according to the caller and has not heard of it yet, if its lease is to be
  /// renewed, or if it is about to give the shard away and whoever gets it is not
  /// known yet. `done` is called when there is news, or the time is up; on any
  /// thread. An error if nobody can serve it now: what to answer.
  virtual void wait_for_owner(const shard_claim& claim, time_point deadline,
                              std::function<void(expected<void>)> done) = 0;
};

} // namespace troupe
