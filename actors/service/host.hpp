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

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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
  struct entry {
    std::string key;
    caf::actor handle;
    activation_record_ptr record;
    time_point used;
    time_point swept;
  };

  using entry_list = std::list<entry>;

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

  /// Ends activations that a successor waits for, once they are idle.
  void passivate_released();

  /// An activation that a successor waits for, or the predecessor, is gone.
  void gone(const caf::down_msg& msg);

  /// The entry of `key`, now the one that was used last.
  entry& use(const std::string& key);

  void start(entry& x);

  /// The queue of `x` is full: there may be calls in it that nobody waits for.
  void sweep(entry& x);

  void passivate_idle();

  /// Passivates those used longest ago when there are too many.
  void make_room();

  /// Passivates `x`; if it has calls, it counts as used now.
  void passivate_if_idle(entry& x);

  void passivate(entry& x);

  void arm_tick();

  void drain();

  void leave_if_drained();

  tree_node describe() const;

  tree_node describe(const entry& x) const;

  time_point now() const noexcept;

  service_target_ptr target_;
  entry_list by_use_; // the one that was used last comes last
  std::unordered_map<std::string_view, entry_list::iterator> by_key_;
  bool ticking_ = false;

  // -- the hand-over from one build to the next ------------------------------

  struct wait {
    std::string key;
    std::vector<caf::response_promise> successors;
  };

  caf::actor predecessor_;
  std::unordered_map<std::string, std::vector<ticket_ptr>> held_; // by key
  std::unordered_map<caf::actor_addr, wait> released_;

  /// By key: successors that ask for what the predecessor may have still.
  std::unordered_map<std::string, std::vector<caf::response_promise>> asked_;
};

} // namespace troupe
