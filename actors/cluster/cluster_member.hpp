// One node's part in the cluster, put together: its membership, its links, the
// router that sends calls where they belong, and the receiver that runs those
// which come. A node, the test kit and simulators build on this with backends of
// their own.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/call_receiver.hpp"
#include "actors/cluster/cluster_state.hpp"
#include "actors/cluster/membership.hpp"
#include "actors/cluster/shard_router.hpp"
#include "actors/supervision/child_spec.hpp"

namespace troupe {

struct cluster_options {
  /// Of which the member itself sets `nudge`, `ready`, `declared`, `let_go` and
  /// `self.link_endpoint`.
  membership_options membership;

  /// The same on all nodes, for the life of the store.
  uint32_t shards = default_shards;

  /// How long a renewal of this node's lease is good.
  std::chrono::nanoseconds lease = cluster_state::default_lease;

  /// For simulators.
  std::function<boot_time()> clock = boot_now;

  /// The links of this node. @throws if they cannot be made
  std::function<std::unique_ptr<cluster_link>(caf::actor_system& sys,
                                              const peer_identity& self)>
    make_link;

  shard_router_options router;
  call_receiver_options receiver;

  static constexpr uint32_t default_shards = 1024;
};

class cluster_member {
public:
  /// Takes links from now on, but is no member before `membership` was started.
  /// All that is given outlives it.
  /// @throws error_exception, or what `make_link` throws
  cluster_member(caf::actor_system& sys, const call_environment& env,
                 cluster_options options, lease_table& leases,
                 shard_table& shards);

  cluster_member(const cluster_member&) = delete;

  ~cluster_member();

  // -- for services and routes -----------------------------------------------

  cluster_state& state() noexcept { return state_; }

  const cluster_state& state() const noexcept { return state_; }

  shard_router& router() noexcept { return *router_; }

  const cluster_options& options() const noexcept { return options_; }

  /// "address:port" for peers.
  std::string link_endpoint() const { return link_->address(); }

  // -- its life --------------------------------------------------------------

  using let_go_function = std::function<void(
    const std::vector<uint32_t>& shards, std::function<void()> done)>;

  /// What starts the membership, again and again.
  /// @param http_url where clients reach this node; may be empty
  /// @param let_go see `membership_options`
  child_spec membership(std::string http_url, let_go_function let_go);

  /// Gives its shards away and leaves; `done` is called when it has, on any
  /// thread.
  void drain(std::function<void()> done);

  /// Peers cannot connect to it any more; links that are there go on.
  void accept_no_more() { link_->accept_no_more(); }

  /// Closes the links once what is to be sent was sent, or the time is up; calls
  /// under way are answered.
  void stop(std::chrono::milliseconds time);

  // -- properties ------------------------------------------------------------

  std::vector<peer_link_ptr> links() const { return link_->links(); }

  /// The one that runs now; null if none does.
  caf::actor membership_handle() const;

private:
  caf::actor_system& sys_;
  const cluster_options options_;
  lease_table& leases_;
  shard_table& shards_;
  cluster_state state_;
  std::unique_ptr<shard_router> router_;
  std::unique_ptr<call_receiver> receiver_;
  std::unique_ptr<cluster_link> link_;
  mutable std::mutex mutex_; // guards membership_
  caf::actor membership_;
  bool stopped_ = false;
};

} // namespace troupe
