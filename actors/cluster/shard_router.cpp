#include "actors/cluster/shard_router.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/tree.hpp"

namespace troupe {

/// INTERNAL: a call that waits for the owner of a shard.
struct shard_router::held_message {
  awaited what;
  time_point deadline;

  /// Told whether it is there.
  std::function<void(bool)> done;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::shard_router::held_message)

namespace troupe {

// -- the actor ---------------------------------------------------------------

class shard_router::follower final : public caf::event_based_actor {
public:
  follower(caf::actor_config& cfg, shard_router& owner)
    : caf::event_based_actor(cfg), owner_(owner) {}

  const char* name() const override { return "shard-router"; }

  caf::behavior make_behavior() override {
    return {
      [this](held_message& x) { hold(std::move(x)); },
      [this](atom::wake) { follow(); },
      [this](atom::drain, const std::string& incarnation) {
        if (links_.contains(incarnation))
          leaving_.insert(incarnation);
      },
      [this](atom::tick) { tick(); },
      [this](atom::describe) { return describe(); },
    };
  }

  void on_exit() override {
    for (auto& x : std::exchange(held_, {}))
      x.done(false);
    owner_.held_ = 0;
  }

private:
  // -- who is there ----------------------------------------------------------

  void follow() {
    auto view = owner_.state_.views.load();
    if (view != view_) {
      view_ = view;
      if (auto observer = owner_.options_.observer)
        observer->seen(*view, owner_.state_.counts);
      if (!view->self.empty() && view->self != self_) {
        self_ = view->self;
        owner_.link_->identify({owner_.node_, self_});
      }
      connect();
      publish();
    }
    part();
    look();
  }

  /// The run of each other node that is newest, as far as can be told: the one
  /// that came into view last.
  std::map<std::string, const lease_row*> newest_runs() {
    std::map<std::string, uint64_t> seen;
    std::map<std::string, const lease_row*> result;
    auto order = [&](const lease_row& x) {
      // Of two that come into view together the one that joins is newer.
      return std::pair{seen[x.incarnation], -static_cast<int>(x.state)};
    };
    ++views_;
    for (auto& x : view_->nodes) {
      auto before = seen_.find(x.incarnation);
      seen[x.incarnation] = before != seen_.end() ? before->second : views_;
      auto& run = result[x.node];
      if (!run || order(*run) < order(x))
        run = &x;
    }
    seen_ = std::move(seen);
    result.erase(owner_.node_); // an earlier run of this one
    return result;
  }

  void connect() {
    std::map<std::string, peer_link_ptr> next;
    for (auto& [node, x] : newest_runs()) {
      if (x->link_endpoint.empty())
        continue;
      auto i = links_.find(x->incarnation);
      next[x->incarnation] =
        i != links_.end()
          ? i->second
          : owner_.link_->connect({{node, x->incarnation}, x->link_endpoint});
    }
    for (auto& [incarnation, link] : links_)
      if (!next.contains(incarnation)) {
        if (leaving_.erase(incarnation) > 0)
          parting_.push_back(link);
        else
          owner_.link_->disconnect(link->where().who);
      }
    links_ = std::move(next);
    std::erase_if(leaving_, [this](auto& x) { return !links_.contains(x); });
  }

  /// Who has left in order still answers what it has, and closes the link then.
  void part() {
    std::erase_if(parting_, [this](const peer_link_ptr& link) {
      if (link->up())
        return false;
      owner_.link_->disconnect(link->where().who);
      return true;
    });
  }

  void publish() {
    auto next = std::make_shared<snapshot>();
    next->view = view_;
    std::map<std::string, uint32_t> newest; // run of each node
    for (uint32_t i = 0; i < view_->nodes.size(); ++i) {
      auto& x = view_->nodes[i];
      auto link = links_.find(x.incarnation);
      next->links.push_back(link != links_.end() ? link->second : nullptr);
      if (x.state == node_state::up)
        newest[x.node] = i;
    }
    std::vector<ring_node> nodes;
    for (auto& [node, i] : newest) {
      auto& x = view_->nodes[i];
      nodes.push_back({node, std::max(x.capacity, 1u), x.zone});
      next->ring_nodes.push_back(i);
    }
    next->ring = hash_ring{std::move(nodes)};
    owner_.publish(std::move(next));
  }

  // -- what is held ----------------------------------------------------------

  void hold(held_message x) {
    if (owner_.is_there(x.what, home_system().clock().now()))
      return x.done(true);
    if (held_.size() >= owner_.options_.held_max)
      return x.done(false);
    held_.push_back(std::move(x));
    ++owner_.held_ever_;
    owner_.held_ = static_cast<uint32_t>(held_.size());
    if (!std::exchange(ticking_, true))
      tick();
  }

  void look() {
    auto now = home_system().clock().now();
    std::vector<std::pair<std::function<void(bool)>, bool>> over;
    std::erase_if(held_, [&](held_message& x) {
      auto settled = owner_.is_there(x.what, now);
      if (!settled && now < x.deadline)
        return false;
      over.emplace_back(std::move(x.done), settled);
      return true;
    });
    owner_.held_ = static_cast<uint32_t>(held_.size());
    for (auto& [done, settled] : over)
      done(settled);
  }

  void tick() {
    look();
    ticking_ = !held_.empty();
    if (!ticking_)
      return;
    // It publishes what it reads, which wakes this one.
    owner_.tell_membership(atom::refresh::value);
    delayed_send(this, owner_.options_.look_every, atom::tick::value);
  }

  tree_node describe() const {
    tree_node result;
    result.kind = "router";
    result.name = "shards";
    result.queue = static_cast<uint32_t>(held_.size());
    return result;
  }

  shard_router& owner_;
  std::shared_ptr<const cluster_view> view_;
  std::string self_;
  uint64_t views_ = 0;
  std::map<std::string, uint64_t> seen_;       // in which view it came first
  std::map<std::string, peer_link_ptr> links_; // by incarnation
  std::set<std::string> leaving_;              // those that have said so
  std::vector<peer_link_ptr> parting_;
  std::vector<held_message> held_;
  bool ticking_ = false;
};

// -- setup -------------------------------------------------------------------

shard_router::shard_router(caf::actor_system& sys, std::string node,
                           cluster_state& state, shard_router_options options)
  : sys_(sys), node_(std::move(node)), state_(state), options_(options),
    snapshot_(std::make_shared<snapshot>(
      snapshot{std::make_shared<cluster_view>(), {}, {}, {}})) {}

shard_router::~shard_router() {
  stop();
}

void shard_router::start(cluster_link& link, call_receiver& receiver) {
  link_ = &link;
  receiver_ = &receiver;
  link.listen(*this);
  auto handle = sys_.spawn<follower>(std::ref(*this));
  {
    std::lock_guard guard{mutex_};
    follower_ = std::move(handle);
  }
  state_.views.on_publish([this] { wake(); });
}

void shard_router::stop() {
  state_.views.on_publish({});
  std::lock_guard guard{mutex_};
  if (auto handle = std::exchange(follower_, nullptr))
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  membership_ = nullptr;
  on_drain_ = {};
}

void shard_router::receive_nothing() {
  receiver_ = nullptr;
}

void shard_router::membership(caf::actor handle) {
  std::lock_guard guard{mutex_};
  membership_ = std::move(handle);
}

void shard_router::on_drain(std::function<void()> f) {
  std::lock_guard guard{mutex_};
  on_drain_ = std::move(f);
}

caf::actor shard_router::handle() const {
  std::lock_guard guard{mutex_};
  return follower_;
}

std::shared_ptr<const shard_router::snapshot> shard_router::current() const {
  std::lock_guard guard{mutex_};
  return snapshot_;
}

void shard_router::publish(std::shared_ptr<const snapshot> next) {
  std::lock_guard guard{mutex_};
  snapshot_.swap(next);
}

template <class Atom>
void shard_router::tell_membership(Atom what) noexcept {
  std::lock_guard guard{mutex_};
  if (membership_)
    caf::anon_send(membership_, what);
}

// -- for the membership ------------------------------------------------------

void shard_router::wake() {
  if (auto to = handle())
    caf::anon_send(to, atom::wake::value);
}

bool shard_router::ready(const std::vector<lease_row>& peers) {
  std::vector<const lease_row*> others;
  for (auto& x : peers)
    if (x.state == node_state::up && x.node != node_
        && !x.link_endpoint.empty())
      others.push_back(&x);
  auto wait = missing_links(*current(), others);
  auto time = waited();
  if (wait.missing.empty())
    return true;
  if (time < options_.connect_time)
    return false;
  if (options_.observer)
    options_.observer->waits(wait);
  return 2 * wait.missing.size() <= wait.nodes;
}

link_wait
shard_router::missing_links(const snapshot& now,
                            const std::vector<const lease_row*>& peers) {
  std::map<std::string_view, const peer_link*> links; // by incarnation
  for (auto& x : now.links)
    if (x)
      links[x->where().who.incarnation] = x.get();
  link_wait result;
  result.nodes = peers.size();
  for (auto x : peers) {
    auto i = links.find(x->incarnation);
    if (i == links.end())
      result.missing.push_back({x->node, x->link_endpoint, {}});
    else if (!i->second->up())
      result.missing.push_back(
        {x->node, x->link_endpoint, i->second->failure()});
  }
  return result;
}

std::chrono::nanoseconds shard_router::waited() {
  auto run = state_.views.load()->self;
  std::lock_guard guard{mutex_};
  if (waits_since_ == boot_time{} || run != waits_as_) {
    waits_as_ = std::move(run);
    waits_since_ = state_.clock();
  }
  return state_.clock() - waits_since_;
}

void shard_router::notify(const std::string& incarnation, const char* topic) {
  auto now = current();
  for (auto& link : now->links)
    if (link && link->where().who.incarnation == incarnation)
      link->notify({topic, {}});
}

void shard_router::notify_all(const char* topic) {
  auto now = current();
  for (auto& link : now->links)
    if (link)
      link->notify({topic, {}});
}

// -- call_placement ----------------------------------------------------------

expected<placement> shard_router::place(const invocation& call,
                                        std::string_view name,
                                        const call_target& here) {
  if (call.entity)
    return place_entity(*call.entity);
  if (!call.routing_key.empty())
    return place_by_key(call.routing_key, here);
  return here.has_room() ? placement{} : place_elsewhere(name);
}

expected<placement> shard_router::place_entity(const entity_call& to) const {
  auto shard = shard_of(to.service, to.key, state_.owned.count());
  if (state_.owned.epoch(shard) != 0) {
    if (state_.lease.valid())
      return placement{};
    return nobody(shard);
  }
  auto now = current();
  auto& places = now->view->shards;
  if (shard >= places.size() || places[shard].node == shard_place::nobody)
    return nobody(shard);
  auto& link = now->links[places[shard].node];
  if (!link)
    return nobody(shard);
  return placement{link, shard_claim{shard, places[shard].epoch}};
}

placement shard_router::place_by_key(const std::string& key,
                                     const call_target& here) const {
  auto now = current();
  auto nodes = now->ring_nodes.size();
  if (nodes < 2)
    return {};
  auto stats = here.stats();
  auto own = uint64_t{stats.in_flight} + stats.queued;
  auto total = own;
  std::vector<uint64_t> loads;
  for (auto i : now->ring_nodes) {
    auto& link = now->links[i];
    loads.push_back(link ? link->stats().in_flight : own);
    total += link ? loads.back() : 0;
  }
  auto most = static_cast<uint64_t>(
    std::ceil(options_.load_max * static_cast<double>(total + 1)
              / static_cast<double>(nodes)));
  auto where = now->ring.find_if(ring_hash(key), [&](size_t i) {
    auto& link = now->links[now->ring_nodes[i]];
    return loads[i] < most && (!link || link->up());
  });
  return where ? placement{now->links[now->ring_nodes[*where]], {}}
               : placement{};
}

placement shard_router::place_elsewhere(std::string_view name) const {
  auto now = current();
  // The mark of a full peer is that it answers late: the one with the fewest of
  // our calls among the first few of the ring, so that instances stay warm.
  constexpr size_t choices = 2;
  peer_link_ptr best;
  uint32_t fewest = 0;
  size_t seen = 0;
  for (auto i : now->ring.empty() ? std::vector<size_t>{}
                                  : now->ring.successors(ring_hash(name))) {
    auto& link = now->links[now->ring_nodes[i]];
    if (!link || !link->up())
      continue;
    auto load = link->stats().in_flight;
    if (!best || load < fewest) {
      best = link;
      fewest = load;
    }
    if (++seen == choices)
      break;
  }
  return {best, {}};
}

void shard_router::refresh(const invocation& call, const failed_placement& last,
                           std::function<void(expected<void>)> done) {
  if (!call.entity)
    return done({}); // whatever is up
  auto shard =
    shard_of(call.entity->service, call.entity->key, state_.owned.count());
  hold(wanted_after(shard, last), call.deadline,
       [this, shard, done = std::move(done)](bool is_settled) {
         if (is_settled)
           done({});
         else
           done(nobody(shard));
       });
}

shard_router::awaited
shard_router::wanted_after(uint32_t shard, const failed_placement& last) const {
  awaited result;
  result.shard = shard;
  if (!last.was_refused) {
    // Who could not be reached may be tried again once he can.
    if (last.shard)
      result.elsewhere_after = last.shard->epoch - 1;
    return result;
  }
  if (last.shard)
    result.elsewhere_after = last.shard->epoch;
  else // by this node
    result.here_after = result.elsewhere_after = state_.owned.epoch(shard);
  if (last.hint.epoch <= result.elsewhere_after)
    result.same_again = sys_.clock().now() + options_.same_again;
  return result;
}

bool shard_router::is_there(const awaited& what, time_point now) const {
  auto same = now >= what.same_again;
  auto before = [&](uint64_t epoch) {
    return same && epoch > 0 ? epoch - 1 : epoch;
  };
  return serves(what.shard, before(what.here_after))
         || is_elsewhere(*current(), what.shard, before(what.elsewhere_after));
}

error shard_router::nobody(uint32_t shard) const {
  if (is_hopeless())
    return error{errc::store_unavailable,
                 "the store does not answer, so nobody may serve this key"}
      .retry_after(1);
  auto now = current();
  auto owner = now->view->owner(shard);
  std::string why = "nobody serves this key at the moment";
  if (owner && owner->state == node_state::up && owner->node != node_) {
    auto& link = now->links[now->view->shards[shard].node];
    if (!link || !link->up())
      why =
        "node '" + owner->node + "', which owns this key, cannot be reached";
  }
  return error{errc::not_owner, why}.retry_after(1);
}

bool shard_router::is_elsewhere(const snapshot& x, uint32_t shard,
                                uint64_t after) const noexcept {
  auto& places = x.view->shards;
  if (shard >= places.size() || places[shard].node == shard_place::nobody
      || places[shard].epoch <= after)
    return false;
  auto& link = x.links[places[shard].node];
  return link && link->up();
}

void shard_router::hold(const awaited& what, time_point deadline,
                        std::function<void(bool)> done) {
  auto to = handle();
  if (!to)
    return done(false);
  auto latest = sys_.clock().now() + options_.hold_max;
  caf::anon_send(
    to, held_message{what, std::min(deadline, latest), std::move(done)});
}

// -- call_admission ----------------------------------------------------------

std::optional<owner_hint>
shard_router::refuse(const shard_claim& claim) const noexcept {
  if (claim.shard >= state_.owned.count())
    return owner_hint{};
  auto own = state_.owned.epoch(claim.shard);
  // An older claim will do: it is ours.
  if (own != 0 && own >= claim.epoch) {
    if (state_.lease.valid())
      return std::nullopt;
    return owner_hint{node_, own};
  }
  auto now = current();
  auto owner = now->view->owner(claim.shard);
  if (!owner)
    return owner_hint{};
  return owner_hint{owner->node, now->view->shards[claim.shard].epoch};
}

void shard_router::wait_for_owner(const shard_claim& claim, time_point deadline,
                                  std::function<void(expected<void>)> done) {
  auto hint = refuse(claim);
  auto is_news = hint && hint->epoch > claim.epoch && hint->node != node_;
  if (!hint || is_news || claim.shard >= state_.owned.count())
    return done({});
  if (is_hopeless())
    return done(nobody(claim.shard));
  // It is to be ours, or somebody else's under a later epoch than either knows.
  awaited what;
  what.shard = claim.shard;
  what.elsewhere_after = std::max(hint->epoch, claim.epoch);
  hold(what, deadline,
       [this, shard = claim.shard, done = std::move(done)](bool is_settled) {
         if (!is_settled && is_hopeless())
           done(nobody(shard));
         else
           done({});
       });
}

// -- link_listener -----------------------------------------------------------

void shard_router::received(std::vector<incoming_call_ptr> calls) noexcept {
  if (auto to = receiver_.load())
    to->received(std::move(calls));
}

void shard_router::noticed(const peer_identity& from,
                           peer_notice notice) noexcept {
  if (notice.topic == notice_topic::shards)
    return tell_membership(atom::wake::value);
  if (notice.topic == notice_topic::leaving) {
    if (options_.observer)
      options_.observer->leaves(from);
    if (auto to = handle())
      caf::anon_send(to, atom::drain::value, from.incarnation);
    return tell_membership(atom::wake::value);
  }
  if (notice.topic != notice_topic::drain)
    return;
  std::function<void()> f;
  {
    std::lock_guard guard{mutex_};
    f = on_drain_;
  }
  if (f)
    f();
}

void shard_router::peer_up(const peer_identity& peer) noexcept {
  if (options_.observer)
    options_.observer->link_up(peer);
  wake();
  tell_membership(atom::wake::value); // one that joins may be ready now
}

void shard_router::peer_down(const peer_identity& peer,
                             std::string_view why) noexcept {
  if (options_.observer)
    options_.observer->link_down(peer, why);
  wake();
  tell_membership(atom::wake::value);
}

void shard_router::refused(std::string_view address,
                           std::string_view why) noexcept {
  if (options_.observer)
    options_.observer->link_refused(address, why);
}

} // namespace troupe
