#include "actors/cluster/cluster_member.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/random_name.hpp"

namespace troupe {

namespace {

/// How long the membership may take to end when it is stopped.
constexpr std::chrono::seconds membership_stop_limit{1};

} // namespace

cluster_member::cluster_member(caf::actor_system& sys,
                               const call_environment& env,
                               cluster_options options, lease_table& leases,
                               shard_table& shards)
  : sys_(sys), options_(std::move(options)), leases_(leases), shards_(shards),
    state_(options_.shards, options_.lease, options_.clock) {
  options_.membership.validate(options_.lease);
  auto& node = options_.membership.self.node;
  router_ = std::make_unique<shard_router>(sys, node, state_, options_.router);
  auto receiver = options_.receiver;
  receiver.node = node;
  receiver_ = std::make_unique<call_receiver>(sys, env, *router_, receiver);
  // Nobody asks for it under this name.
  link_ = options_.make_link(sys, {node, random_name()});
  router_->start(*link_, *receiver_);
}

cluster_member::~cluster_member() {
  stop(std::chrono::milliseconds{0});
}

child_spec cluster_member::membership(std::string http_url,
                                      let_go_function let_go) {
  auto options = options_.membership;
  options.self.link_endpoint = link_->address();
  options.self.http_url = std::move(http_url);
  options.let_go = std::move(let_go);
  options.nudge = [this](const lease_row& peer) {
    router_->notify(peer.incarnation, notice_topic::shards);
  };
  options.ready = [this](const std::vector<lease_row>& peers) {
    return router_->ready(peers);
  };
  if (auto observer = options_.router.observer)
    options.declared = [observer](const peer_identity& peer) {
      observer->declared(peer);
    };
  child_spec result;
  result.id = "membership";
  result.role = "membership";
  result.stop = stop_policy::within(membership_stop_limit);
  result.start = [this, options = std::move(options)](
                   caf::local_actor* parent) -> caf::expected<caf::actor> {
    caf::actor handle = parent->spawn<membership_actor>(
      options, std::ref(state_), std::ref(leases_), std::ref(shards_));
    {
      std::lock_guard guard{mutex_};
      membership_ = handle;
    }
    router_->membership(handle);
    return handle;
  };
  return result;
}

caf::actor cluster_member::membership_handle() const {
  std::lock_guard guard{mutex_};
  return membership_;
}

void cluster_member::drain(std::function<void()> done) {
  auto handle = membership_handle();
  if (!handle)
    return done();
  auto limit = options_.membership.drain_limit + std::chrono::seconds{5};
  sys_.spawn<caf::hidden>([handle, limit, done](caf::event_based_actor* self) {
    self->request(handle, caf::duration{limit}, atom::drain::value)
      .then([done] { done(); }, [done](caf::error&) { done(); });
  });
}

void cluster_member::stop(std::chrono::milliseconds time) {
  if (std::exchange(stopped_, true))
    return;
  router_->stop();
  // Peers that have not heard yet that this node leaves still send calls.
  link_->stop(time);
  router_->receive_nothing();
  receiver_.reset();
  std::lock_guard guard{mutex_};
  membership_ = nullptr;
}

} // namespace troupe
