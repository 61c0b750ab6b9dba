// Keeps the activations of one service on one node: starts one when the first
// call for its key comes, and passivates it when it was idle. Every call goes
// through the host's mailbox, and only the host adds to an activation's pending
// calls; so when it finds none pending, none is on its way, and the activation
// may end without a call being lost.
//
// When a new build of a service comes, its host takes the keys over one by one:
// the first call of a key waits until the old host has ended its activation, so
// that no entity is active twice, and nobody waits for the slowest of them.

#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/intrusive/list.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>

#include "actors/core/tree.hpp"
#include "actors/service/messages.hpp"
#include "actors/service/service_target.hpp"

namespace troupe {

/// Understands (describe), (drain); see core/interfaces.hpp. It is the host of
/// its target from its start to its exit, and answers everything that is
/// pending when it exits; a new one may take its place.
class host_actor final : public caf::event_based_actor {
public:
  /// Activations that (describe) lists at most, those used last.
  static constexpr size_t described_max = 100;

  /// @param predecessor the host of the build before, which still has
  ///        activations; null if there is none
  host_actor(caf::actor_config& cfg, service_target_ptr target,
             caf::actor predecessor = nullptr);

  const char* name() const override { return "host"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

private:
  using use_hook =
    boost::intrusive::member_hook<activation_slot,
                                  boost::intrusive::list_member_hook<>,
                                  &activation_slot::by_use>;

  using use_list = boost::intrusive::list<activation_slot, use_hook>;

  /// Holds `call` until the predecessor has no activation of its key.
  void receive(ticket_ptr call);

  /// The calls of `key` that wait for the predecessor to let it go.
  std::vector<ticket_ptr>& hold(const std::string& key);

  void forward(ticket_ptr call);

  /// The predecessor has let `key` go.
  void take_over(const std::string& key);

  caf::result<caf::unit_t> release(const std::string& key);

  /// Answers `promise` once there is no activation of `key`.
  void let_go(const std::string& key, caf::response_promise promise);

  /// Ends the activations of shards that are not the node's any more.
  void let_go(const shards_message& msg);

  /// What is kept of an activation that is to end.
  struct wait;

  wait& wait_for_end(activation_slot& slot);

  /// Ends activations that a successor waits for, once they are idle.
  void passivate_released();

  /// An activation that a successor waits for, or the predecessor, is gone.
  void gone(const caf::down_msg& msg);

  /// There is an activation of `key`.
  bool active(const std::string& key) const;

  /// Starts an activation of `key`.
  void start(const std::string& key);

  /// The activation of `x` is gone or was passivated.
  void forget(activation_slot& x);

  void passivate_idle();

  /// Passivates those used longest ago when there are too many.
  void make_room();

  /// Passivates the one that comes first if it was not used since `limit` (ns of
  /// the clock) and has no calls; else it comes last.
  void passivate_first(int64_t limit);

  /// False if it has calls.
  bool passivate(activation_slot& x);

  /// To the system, if many activations have ended.
  void give_memory_back();

  void arm_tick();

  void drain();

  void leave_if_drained();

  tree_node describe() const;

  tree_node describe(const activation_slot& x) const;

  time_point now() const noexcept;

  service_target_ptr target_;
  use_list by_use_; // about in the order of use, the last one at the end
  bool ticking_ = false;
  size_t freed_ = 0; // activations that ended since memory was given back

  // -- the hand-over from one build to the next ------------------------------

  struct wait {
    std::string key;
    std::vector<caf::response_promise> successors;

    /// Let go of when it has ended.
    std::vector<std::shared_ptr<void>> latches;
  };

  caf::actor predecessor_;
  std::unordered_map<std::string, std::vector<ticket_ptr>> held_; // by key
  std::unordered_map<caf::actor_addr, wait> released_;

  /// By key: successors that ask for what the predecessor may have still.
  std::unordered_map<std::string, std::vector<caf::response_promise>> asked_;
};

} // namespace troupe
