// Sends calls where they belong, and holds them while nobody is there for them:
// a shard that is handed over, taken from a dead node, or whose new owner this
// node cannot reach yet. Whoever calls does not notice more than a delay.
//
// Calls are placed from a snapshot on the caller's thread. Beside that there is
// one actor, which follows the membership's views: it connects to whoever is
// there, makes the snapshot, and looks after the calls that are held.
//
//   its own shard               here
//   somebody else's             to that peer, with the epoch that is known
//   a routing key, no service   the ring, with a bound on the load
//   neither                     here if there is room, else the ring by name
//
// Messages of the actor:
//   (describe) -> tree_node     what `troupe tree` shows
//   (wake)                      there is a new view, or a link came or went
//   (drain, string)             that incarnation is about to leave in order
//   (tick)            INTERNAL  look at what is held
//   held              INTERNAL  hold this call

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/call_placement.hpp"
#include "actors/cluster/call_receiver.hpp"
#include "actors/cluster/cluster_observer.hpp"
#include "actors/cluster/cluster_state.hpp"
#include "actors/model/hash_ring.hpp"

namespace troupe {

struct shard_router_options {
  /// How long a call is held at most, if its deadline is not earlier: longer
  /// than a takeover takes.
  std::chrono::nanoseconds hold_max = std::chrono::seconds{8};

  /// Calls that are held at once; past it they are answered `not_owner`.
  uint32_t held_max = 16'384;

  /// While calls are held the table of shards is read so often.
  std::chrono::nanoseconds look_every = std::chrono::milliseconds{50};

  /// Whoever has turned a call away is asked again only after this, if the table
  /// does not say meanwhile that it is somebody else's.
  std::chrono::nanoseconds same_again = std::chrono::milliseconds{150};

  /// A node that joins waits so long for links to all others, and then until it
  /// has links to at least half of them.
  std::chrono::nanoseconds connect_time = std::chrono::seconds{5};

  /// What one node of the ring gets of calls with a routing key, as a multiple
  /// of the mean (Mirrokni, Thorup, Zadimoghaddam, 2016).
  double load_max = 1.25;

  /// Outlives the router; null: nobody.
  cluster_observer* observer = nullptr;
};

/// Topics of notices between nodes.
namespace notice_topic {

/// Shards were moved to the one who gets this, or a node has left.
constexpr auto shards = "shards";

/// Whoever sends this is about to leave in order: it answers all it has got.
constexpr auto leaving = "leaving";

/// Whoever gets this is to drain and leave.
constexpr auto drain = "drain";

} // namespace notice_topic

/// Thread-safe, never blocks.
class shard_router final : public call_placement,
                           public call_admission,
                           public link_listener {
public:
  /// @param node this node's id
  /// All that is given outlives it.
  shard_router(caf::actor_system& sys, std::string node, cluster_state& state,
               shard_router_options options = {});

  shard_router(const shard_router&) = delete;

  ~shard_router() override;

  // -- setup, by one thread --------------------------------------------------

  /// Begins: connects through `link`, runs what comes with `receiver`.
  void start(cluster_link& link, call_receiver& receiver);

  /// The membership that runs now; it is another one after a restart.
  void membership(caf::actor handle);

  /// What is done when a peer tells this node to drain; may be empty.
  void on_drain(std::function<void()> f);

  /// Answers what is held, and ends the actor. What comes over links is still
  /// received; what is not for this node is refused at once.
  void stop();

  /// What comes over links from now on is not received.
  void receive_nothing();

  // -- for the membership ----------------------------------------------------

  /// A new view was published.
  void wake();

  /// Whether there are links to all of `peers` that are up; or, when enough time
  /// was spent to wait for them, to half of these. One that nobody can link to
  /// would own shards that nobody can use.
  bool ready(const std::vector<lease_row>& peers);

  void notify(const std::string& incarnation, const char* topic);

  void notify_all(const char* topic);

  // -- call_placement --------------------------------------------------------

  expected<placement> place(const invocation& call, std::string_view name,
                            const call_target& here) override;

  void refresh(const invocation& call, const failed_placement& last,
               std::function<void(expected<void>)> done) override;

  // -- call_admission --------------------------------------------------------

  std::optional<owner_hint>
  refuse(const shard_claim& claim) const noexcept override;

  void wait_for_owner(const shard_claim& claim, time_point deadline,
                      std::function<void(expected<void>)> done) override;

  // -- link_listener ---------------------------------------------------------

  void received(std::vector<incoming_call_ptr> calls) noexcept override;
  void noticed(const peer_identity& from, peer_notice notice) noexcept override;
  void peer_up(const peer_identity& peer) noexcept override;
  void peer_down(const peer_identity& peer,
                 std::string_view why) noexcept override;
  void refused(std::string_view address,
               std::string_view why) noexcept override;

  // -- for what shows it -----------------------------------------------------

  /// Calls that are held now, and that ever were.
  uint32_t held() const noexcept { return held_.load(); }
  uint64_t held_ever() const noexcept { return held_ever_.load(); }

  /// Null before `start`.
  caf::actor handle() const;

private:
  class follower;
  struct held_message;

  /// What is placed from. Immutable.
  struct snapshot {
    std::shared_ptr<const cluster_view> view;

    /// As `view->nodes`; null for this node, and where there is no way.
    std::vector<peer_link_ptr> links;

    /// Those that run functions, and who of `view->nodes` they are.
    hash_ring ring;
    std::vector<uint32_t> ring_nodes;
  };

  std::shared_ptr<const snapshot> current() const;

  void publish(std::shared_ptr<const snapshot> next);

  expected<placement> place_entity(const entity_call& to) const;

  placement place_by_key(const std::string& key, const call_target& here) const;

  placement place_elsewhere(std::string_view name) const;

  bool serves(uint32_t shard, uint64_t after) const noexcept {
    return state_.owned.epoch(shard) > after && state_.lease.valid();
  }

  /// A peer owns it under a later epoch than `after`, and can be reached.
  bool is_elsewhere(const snapshot& x, uint32_t shard,
                    uint64_t after) const noexcept;

  /// What a call that is held waits for.
  struct awaited {
    uint32_t shard = 0;

    /// That this node serves it under a later epoch than this one, ...
    uint64_t here_after = 0;

    /// ... or a peer owns it under a later one than this, and can be reached.
    uint64_t elsewhere_after = 0;

    /// From then on those epochs will do, too.
    time_point same_again = time_point::max();
  };

  awaited wanted_after(uint32_t shard, const failed_placement& last) const;

  bool is_there(const awaited& what, time_point now) const;

  /// `done` is told whether it is there; on any thread.
  void hold(const awaited& what, time_point deadline,
            std::function<void(bool)> done);

  /// No wait helps: nobody's lease can be renewed.
  bool is_hopeless() const {
    return state_.store_is_away && !state_.lease.valid();
  }

  /// Why a call that was held in vain is not run.
  error nobody(uint32_t shard) const;

  /// How long this run of the node has waited for links.
  std::chrono::nanoseconds waited();

  static link_wait missing_links(const snapshot& now,
                                 const std::vector<const lease_row*>& peers);

  template <class Atom>
  void tell_membership(Atom what) noexcept;

  caf::actor_system& sys_;
  const std::string node_;
  cluster_state& state_;
  const shard_router_options options_;
  cluster_link* link_ = nullptr;
  std::atomic<call_receiver*> receiver_{nullptr};
  std::atomic<uint32_t> held_{0};
  std::atomic<uint64_t> held_ever_{0};
  mutable std::mutex mutex_; // guards what follows
  std::shared_ptr<const snapshot> snapshot_;
  caf::actor follower_;
  caf::actor membership_;
  std::function<void()> on_drain_;

  // The run that waits for links, and since when.
  std::string waits_as_;
  boot_time waits_since_;
};

} // namespace troupe
