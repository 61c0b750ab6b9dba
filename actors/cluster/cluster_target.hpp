// What a name leads to when there is more than one node: a call is run here, or
// goes to a peer and comes back, and its caller does not notice which.
//
// A peer that does not own the shard says so without starting the call; then it
// goes to whoever does, at most twice: two nodes that each take the other for the
// owner must not play ball with it. The same if there is no link to the peer, and
// if this node gives the shard away while the call waits for its entity. Once a
// call has left, it is never sent again: it may have run.

#pragma once

#include <string>

#include <caf/fwd.hpp>

#include "actors/cluster/call_placement.hpp"
#include "actors/core/interfaces.hpp"

namespace troupe {

class cluster_target final : public call_target {
public:
  /// How often a call goes to somebody else after the first try.
  static constexpr uint32_t redirects_max = 2;

  /// @param name the function, or the service
  /// @param here runs the calls that are for this node
  /// @param places outlives every call
  cluster_target(caf::actor_system& sys, std::string name,
                 std::string qualifier, call_target_ptr here,
                 call_placement& places);

  // -- call_target -----------------------------------------------------------

  void submit(invocation_ptr call, lender& from) override;

  std::chrono::milliseconds timeout() const noexcept override {
    return here_->timeout();
  }

  call_stats stats() const override { return here_->stats(); }

  std::string_view kind() const noexcept override { return here_->kind(); }

  bool callable_by_bytes() const noexcept override {
    return here_->callable_by_bytes();
  }

  call_target& here() noexcept override { return *here_; }

  bool has_room() const noexcept override { return here_->has_room(); }

  /// What runs calls on this node has refused one before it began.
  void turned_away(invocation_ptr call, error why) noexcept override;

private:
  class forwarding;

  void run_here(invocation_ptr call, lender& from);

  void send(invocation_ptr call, placement where, turn* together);

  /// The call was not started there.
  void redirect(invocation_ptr call, const failed_placement& last,
                const std::string& why);

  /// Holds it until there is somebody.
  void hold(invocation_ptr call, const failed_placement& last);

  void place_again(invocation_ptr call);

  caf::actor_system& sys_;
  const std::string name_;
  const std::string qualifier_;
  const call_target_ptr here_;
  call_placement& places_;
};

} // namespace troupe
