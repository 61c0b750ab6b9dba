// What two nodes need to call each other and nothing else: links, functions, the
// receiver of calls. The bench has one in its own process and one in another.

#pragma once

#include <future>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/cluster/call_receiver.hpp"
#include "actors/cluster/cluster_target.hpp"
#include "actors/core/deadline_keeper.hpp"
#include "actors/core/route_table.hpp"
#include "actors/routing/call_port.hpp"
#include "nodes/link/caf_link.hpp"

namespace troupe::bench {

/// Serves `add` and `echo`. Calls that it makes itself go to its peer.
class forward_node final : public link_listener,
                           public call_placement,
                           public call_admission {
public:
  explicit forward_node(const std::string& id);

  forward_node(const forward_node&) = delete;

  ~forward_node() override;

  caf::actor_system& system() noexcept { return system_; }

  std::string address() const { return link_->address(); }

  /// Calls go there from now on; waits until they can.
  void connect(const std::string& id, const std::string& address);

  call_port port() { return {system_, env_}; }

  // -- what links, placement and admission are asked -------------------------

  void received(std::vector<incoming_call_ptr> calls) noexcept override;
  void noticed(const peer_identity&, peer_notice) noexcept override {}
  void peer_up(const peer_identity&) noexcept override { up_.set_value(); }
  void peer_down(const peer_identity&, std::string_view) noexcept override {}
  void refused(std::string_view, std::string_view) noexcept override {}
  expected<placement> place(const invocation&, std::string_view,
                            const call_target&) override;
  void refresh(const invocation&, const failed_placement&,
               std::function<void(expected<void>)> done) override;
  std::optional<owner_hint> refuse(const shard_claim&) const noexcept override;
  void wait_for_owner(const shard_claim&, time_point,
                      std::function<void(expected<void>)> done) override;

private:
  static peer_identity identity(const std::string& id) { return {id, "1"}; }

  caf::actor_system_config config_;
  caf::actor_system system_;
  route_source routes_;
  deadline_keeper deadlines_;
  call_environment env_;
  std::unique_ptr<call_receiver> receiver_;
  std::unique_ptr<cluster_link> link_;
  std::vector<caf::actor> actors_;
  std::promise<void> up_;
  peer_link_ptr peer_;
};

} // namespace troupe::bench
