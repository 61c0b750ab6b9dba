// Who is there and who owns what, kept by one actor a node. It renews the
// node's lease, judges the others by theirs, takes the shards of dead ones,
// gives its own away when they should be elsewhere or the node is to leave, and
// publishes what it knows (cluster_state.hpp). README.md beside this file is
// the protocol and why it is safe; the parts that decide are in actors/model/:
// own_lease, peer_watch, shard_book, placement.
//
// Messages:
//   (describe) -> tree_node          what `troupe tree` shows
//   (drain) -> ()                    give all away and leave; answered when done
//   (refresh) -> ()                  read the shards; answered when published
//   (wake)                           a hint: somebody may be dead, look now
//   (tick, uint64)       INTERNAL    it is time to renew
//   (late, uint64)       INTERNAL    a hand-over takes too long
//   messages.hpp         INTERNAL    the store's answers

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>

#include "actors/cluster/cluster_state.hpp"
#include "actors/cluster/messages.hpp"
#include "actors/core/cluster_backends.hpp"
#include "actors/core/cluster_link.hpp"
#include "actors/core/tree.hpp"
#include "actors/model/hash_ring.hpp"
#include "actors/model/namesakes.hpp"
#include "actors/model/peer_watch.hpp"
#include "actors/model/placement.hpp"
#include "actors/model/shard_book.hpp"

namespace troupe {

struct membership_options {
  /// This node, but for incarnation, state and counter.
  lease_row self;

  /// Between two renewals.
  std::chrono::nanoseconds renew_every = std::chrono::milliseconds{500};

  /// When a peer is dead. `dead_after` must be longer than the lease.
  peer_watch_options watch{};

  /// Renewals that were not answered yet, after which no more are sent.
  uint32_t renewals_max = 4;

  /// Peers that are declared dead at once: when many have died, and many see
  /// it, each of these begins with others of them.
  uint32_t declare_max = 4;

  /// Shards that are given away at once when only the balance asks for it:
  /// calls of them wait meanwhile.
  uint32_t give_max = 32;

  /// The same for a node that leaves.
  uint32_t drain_max = 128;

  /// The set of nodes has to be the same for so long before shards move for
  /// balance: nodes that come one after the other are one change.
  std::chrono::nanoseconds settle_time = std::chrono::seconds{2};

  /// How long calls in flight may hold up a hand-over. Past it, one for balance
  /// is given up, and tried again later; one of a node that leaves goes on.
  std::chrono::nanoseconds handover_limit = std::chrono::seconds{2};
  std::chrono::nanoseconds drain_limit = std::chrono::seconds{30};

  /// A row that is down, and that nothing refers to, is kept for so long.
  std::chrono::nanoseconds keep_down = std::chrono::seconds{60};

  /// A random name for each run; empty: 32 hexadecimal digits.
  std::function<std::string()> new_incarnation{};

  /// Ends the activations of these shards, which take no calls any more;
  /// `done`, on any thread, when they are gone. Empty: there are none.
  std::function<void(const std::vector<uint32_t>& shards,
                     std::function<void()> done)>
    let_go{};

  /// Where so many shards should be, as indices of nodes, which are in the order
  /// of their names. For a simulator, which does not compute the same for each
  /// of its nodes; empty: `place_shards`.
  std::function<std::vector<uint32_t>(const std::vector<ring_node>& nodes,
                                      uint32_t count)>
    place{};

  /// A hint for a peer: it has got shards. May be empty.
  std::function<void(const lease_row& peer)> nudge{};

  /// Whether this node is ready to own shards, as far as others are concerned
  /// (links to all of them are up); asked with each view. Empty: at once.
  std::function<bool(const std::vector<lease_row>& peers)> ready{};

  /// The cluster does not fit this node, which never gets up: other settings, a
  /// wire version too far away, another number of shards, or another node that
  /// has its id and lives. May be empty.
  std::function<void(const std::string& why)> refused{};

  /// This node is up, and another one that does not fit has tried to join. May
  /// be empty.
  std::function<void(const std::string& why)> turned_away{};

  /// This node has declared that run of another one dead. May be empty.
  std::function<void(const peer_identity& peer)> declared{};

  /// @throws error_exception `bad_request` if a peer would be taken for dead
  ///         before its lease has run out
  void validate(std::chrono::nanoseconds lease) const;
};

class membership_actor final : public caf::event_based_actor {
public:
  /// All that is given outlives the actor.
  membership_actor(caf::actor_config& cfg, membership_options options,
                   cluster_state& state, lease_table& leases,
                   shard_table& shards);

  const char* name() const override { return "membership"; }

  caf::behavior make_behavior() override;

  void on_exit() override;

private:
  // -- its own lease ---------------------------------------------------------

  void join();

  void tick();

  /// Looks again when a peer may be dead, rather than at the next tick.
  void look_at_verdict();

  void renew();

  void take(lease_renewed& answer);

  /// Asks for it at once, if it may be up.
  void get_up();

  /// What to say of itself with the next renewal.
  node_state next_state() const;

  /// Why it cannot be in this cluster; empty if it can.
  std::string objection() const;

  /// Why this node and that one cannot be in one cluster; empty if they can.
  std::string misfit(const lease_row& other) const;

  void fenced();

  // -- the others ------------------------------------------------------------

  void judge(boot_time asked);

  void declare_those_dead();

  void declare(const lease_row& peer);

  void take(node_declared& answer);

  /// Tells of those that cannot join. @param before the rows of the last view
  void look_at_newcomers(const std::vector<lease_row>& before) const;

  /// Whether there is another run of this node.
  void look_at_namesakes();

  void forget_old_rows();

  const lease_row* find(const std::string& incarnation) const;

  /// Nobody serves the shards of this incarnation. `learned` is the number of
  /// the question before that row was known.
  bool is_down(const std::string& incarnation, uint64_t learned) const;

  // -- shards ----------------------------------------------------------------

  void read();

  void take(shards_read& answer);

  void learn(const shard_row& row);

  /// Sees who may own shards, and where each should be.
  void update_ring();

  /// Begins what is due, if it is not under way already.
  void plan();

  void settle();

  void plan_moves();

  void plan_drain();

  /// Who has which shard, as far as it matters to this node, whose index in the
  /// ring is `me`.
  std::vector<shard_holder> holders(size_t me) const;

  void take_over(const std::vector<uint32_t>& shards);

  void move(move_purpose why, std::vector<shard_move> moves);

  void take(shards_moved& answer);

  void count(const shards_moved& answer);

  // -- hand-overs ------------------------------------------------------------

  /// Whom the shards go to.
  using gifts = std::vector<std::pair<uint32_t, std::string>>;

  void give(gifts to);

  /// Gifts for those that can be expected to take them.
  gifts gifts_for(const std::vector<std::pair<uint32_t, uint32_t>>& proposed,
                  size_t most) const;

  void end_handover();

  /// Activations of the shards of hand-over `number` are gone.
  void vacated(uint64_t number);

  void too_late(uint64_t number);

  // -- leaving ---------------------------------------------------------------

  caf::result<caf::unit_t> drain();

  void leave();

  /// It is down now.
  void has_left();

  void take(node_left& answer);

  // -- what others see -------------------------------------------------------

  caf::result<caf::unit_t> refresh();

  void publish();

  /// It has all that live, as they are now.
  bool shows_nodes(const cluster_view& view) const;

  /// Who owns which shard. @pre `nodes` are in the order of their incarnations
  std::vector<shard_place> places(const std::vector<lease_row>& nodes) const;

  tree_node describe() const;

  std::string fresh_incarnation() const;

  /// What the store calls with an answer: it comes back as the last member of a
  /// message.
  template <class Answer, class T, class... Ts>
  std::function<void(expected<T>)> back(Ts... what);

  boot_time now() const { return state_.clock(); }

  const membership_options options_;
  cluster_state& state_;
  lease_table& leases_;
  shard_table& shards_;

  // One's own lease.
  std::string incarnation_;
  uint64_t counter_ = 0;   // the highest that was answered
  uint64_t questions_ = 0; // renewals that were sent, in all
  uint64_t answered_ = 0;  // the number of the newest view
  uint32_t open_ = 0;      // renewals without an answer
  uint64_t timer_ = 0;
  std::string refused_;

  // The others.
  std::vector<lease_row> rows_; // by incarnation, without their counters
  peer_watch watch_;
  namesakes namesakes_;
  boot_time verdict_; // when the last extra look is, or was
  std::set<std::string> declaring_;
  bool more_to_declare_ = false;
  std::map<std::string, boot_time> last_seen_; // of those that are dead
  std::map<std::string, boot_time> down_since_;

  // Shards.
  shard_book book_;
  bool places_changed_ = true; // since the last view was published
  uint64_t version_ = 0;
  bool has_read_ = false;
  bool reading_ = false;
  bool read_again_ = false;
  std::vector<caf::response_promise> waiting_; // for what is read now
  std::vector<caf::response_promise> next_;    // for what is read after that
  std::vector<ring_node> ring_nodes_;    // those who may own shards, by name
  std::vector<std::string> ring_owners_; // their incarnations
  std::vector<uint32_t> wanted_places_;
  boot_time ring_since_;
  bool moving_ = false;

  // Hand-overs and leaving.
  uint64_t handover_ = 0; // its number
  bool handing_over_ = false;
  gifts gifts_;
  boot_time no_gifts_before_;
  std::optional<boot_time> drain_until_;
  bool leaving_ = false;
  bool is_gone_ = false;
  std::vector<caf::response_promise> drained_;
};

} // namespace troupe
