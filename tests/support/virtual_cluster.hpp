// Several nodes in one process and in virtual time: each with its own routes,
// targets and view of who owns what, over links in memory and one store. What a
// test of calls between nodes needs, without a membership.

#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/cluster/call_receiver.hpp"
#include "actors/cluster/cluster_target.hpp"
#include "actors/cluster/memory_link.hpp"
#include "tests/support/function_fixture.hpp"
#include "tests/support/service_fixture.hpp"

namespace troupe::testing {

/// Who owns a key, and since which change.
struct ownership {
  std::string node;
  uint64_t epoch = 0;
};

/// Keys without an entry belong to whoever is asked.
using ownership_map = std::map<std::string, ownership>;

/// One node: what its composition root would put together.
class virtual_node final : public link_listener,
                           public call_placement,
                           public call_admission {
public:
  virtual_node(caf::actor_system& sys, memory_network& net, std::string id,
               const ownership_map& truth, std::chrono::nanoseconds skew)
    : sys_(sys), truth_(truth), self{std::move(id), "1"},
      link(net.join(self, skew)) {
    link->listen(*this);
  }

  ~virtual_node() override {
    deadlines.on_armed({});
    routes.publish(std::make_shared<route_table>());
  }

  // -- link_listener ---------------------------------------------------------

  void received(std::vector<incoming_call_ptr> calls) noexcept override {
    if (receiver)
      receiver->received(std::move(calls));
  }

  void noticed(const peer_identity& from,
               peer_notice notice) noexcept override {
    log.push_back("notice " + from.node + " " + notice.topic + " "
                  + notice.body);
  }

  void peer_up(const peer_identity& peer) noexcept override {
    log.push_back("up " + peer.node);
  }

  void peer_down(const peer_identity& peer,
                 std::string_view why) noexcept override {
    log.push_back("down " + peer.node + ": " + std::string{why});
  }

  void refused(std::string_view, std::string_view) noexcept override {}

  // -- call_placement --------------------------------------------------------

  expected<placement> place(const invocation& call, std::string_view,
                            const call_target&) override {
    auto& key = call.entity ? call.entity->key : call.routing_key;
    auto i = view.find(key);
    if (i == view.end() || i->second.node == self.node)
      return placement{};
    placement result;
    result.peer = links.at(i->second.node);
    if (call.entity)
      result.shard = shard_claim{shard_of(key), i->second.epoch};
    return result;
  }

  void refresh(const invocation&, const failed_placement& last,
               std::function<void(expected<void>)> done) override {
    hints.push_back(last.hint);
    if (may_refresh)
      view = truth_;
    done({});
  }

  // -- call_admission --------------------------------------------------------

  std::optional<owner_hint>
  refuse(const shard_claim& claim) const noexcept override {
    for (auto& [key, owner] : view)
      if (shard_of(key) == claim.shard) {
        if (owner.node == self.node && owner.epoch == claim.epoch)
          return std::nullopt;
        return owner_hint{owner.node, owner.epoch};
      }
    return owner_hint{};
  }

  void wait_for_owner(const shard_claim&, time_point,
                      std::function<void(expected<void>)> done) override {
    done({});
  }

  /// A shard for each key, so that tests speak of keys only.
  static uint32_t shard_of(const std::string& key) {
    return static_cast<uint32_t>(std::hash<std::string>{}(key));
  }

private:
  caf::actor_system& sys_;
  const ownership_map& truth_;

public:
  const peer_identity self;
  route_source routes;
  deadline_keeper deadlines{time_point{}};
  call_environment env{routes, deadlines, false};
  ownership_map view;
  bool may_refresh = true;
  std::vector<owner_hint> hints;
  std::vector<std::string> log;
  std::map<std::string, peer_link_ptr> links;
  std::unique_ptr<cluster_link> link;
  std::unique_ptr<call_receiver> receiver;
};

/// What outlives the actors.
struct cluster_outside {
  test_store store;
  ownership_map truth;
  std::map<std::string, std::unique_ptr<virtual_node>> nodes;
};

class cluster_fixture : public ::testing::Test,
                        public cluster_outside,
                        public actor_fixture {
public:
  explicit cluster_fixture(uint64_t seed = 1) : net(now(), seed) {}

  void TearDown() override {
    for (auto& [id, x] : nodes) {
      x->deadlines.on_armed({});
      x->receiver = nullptr;
    }
    stop_all();
    for (auto& [id, x] : nodes) {
      x->links.clear();
      x->link->stop({});
    }
    // What is left of calls is answered by links that end.
    run();
  }

  /// A node that serves `content`.
  virtual_node& start(const std::string& id, const module& content,
                      std::chrono::nanoseconds skew = {}) {
    auto& node = nodes[id];
    node = std::make_unique<virtual_node>(system(), net, id, truth, skew);
    own(spawn_deadline_ticker(system(), node->deadlines));
    node->receiver =
      std::make_unique<call_receiver>(system(), node->env, *node);
    serve(*node, content);
    run();
    return *node;
  }

  /// Every node has a link to every other one.
  void connect_all() {
    for (auto& [x, from] : nodes)
      for (auto& [y, to] : nodes)
        if (x != y)
          from->links[y] = from->link->connect({to->self, to->link->address()});
    go(10ms);
  }

  /// All nodes know that `key` belongs to `node` since change `epoch`.
  void settle(const std::string& key, const std::string& node,
              uint64_t epoch = 1) {
    truth[key] = {node, epoch};
    for (auto& [id, x] : nodes)
      x->view[key] = truth[key];
  }

  // -- calls -----------------------------------------------------------------

  /// Calls a function at `node`; its routing key says where it goes.
  noted_call_ptr call(const std::string& node, const std::string& function,
                      const std::string& key, std::string body = {},
                      std::chrono::nanoseconds timeout = 30s) {
    auto x =
      caf::make_counted<noted_call>(payload{std::move(body), "text/plain"});
    x->routing_key = key;
    submit(node, *nodes.at(node)->routes.load()->functions.at(function).latest,
           x, timeout);
    return x;
  }

  noted_call_ptr call(const std::string& node, entity_call to,
                      std::string body = {},
                      std::chrono::nanoseconds timeout = 30s) {
    auto x = caf::make_counted<noted_call>(payload{std::move(body), {}});
    auto service = to.service;
    x->entity = std::make_unique<entity_call>(std::move(to));
    submit(node, *nodes.at(node)->routes.load()->services.at(service).host, x,
           timeout);
    return x;
  }

  void submit(const std::string& node, call_target& target,
              const invocation_ptr& x, std::chrono::nanoseconds timeout = 30s) {
    x->id = {1, ++last_id_};
    x->submitted = now();
    x->deadline = now() + timeout;
    submit_watched(nodes.at(node)->env, target, x, system(), nullptr);
  }

  /// As above, and lets some time go by: what it came to.
  template <class... Ts>
  std::string outcome_of(Ts&&... xs) {
    auto x = call(std::forward<Ts>(xs)...);
    go(20ms);
    return x->outcome();
  }

  // -- time ------------------------------------------------------------------

  /// Moves time on, for actors and network.
  void go(std::chrono::nanoseconds d) {
    auto end = now() + d;
    run();
    while (now() < end) {
      auto due = net.next();
      // Timers of actors fire in between; what they send is seen soon enough.
      auto step = std::min(end, now() + 1ms);
      if (due)
        step = std::clamp(*due, now(), step);
      advance(step - now());
      net.advance(now());
      run();
    }
  }

  memory_network net;

private:
  void serve(virtual_node& node, const module& content) {
    auto table = std::make_shared<route_table>();
    for (auto& x : content.functions()) {
      auto here =
        caf::make_counted<function_target>(system(), x, 1, x->limits, node.env);
      own(system().spawn<pool_actor>(here, pool_options{}));
      table->functions[x->name].latest = spread(node, x->name, here);
    }
    for (auto& x : content.exposed()) {
      auto here =
        caf::make_counted<exposed_target>(system(), x, x->limits, node.env);
      exposed_options options;
      options.seed = 1;
      own(system().spawn<exposed_keeper>(here, options));
      table->functions[x->name].latest = spread(node, x->name, here);
    }
    for (auto& x : content.services()) {
      auto here = caf::make_counted<service_target>(x, store, node.env);
      own(system().spawn<host_actor>(here));
      table->services[x->name].host = spread(node, x->name, here);
      table->services[x->name].definition = x;
      table->classes[*x->type] = x;
    }
    node.routes.publish(std::move(table));
  }

  call_target_ptr spread(virtual_node& node, const std::string& name,
                         call_target_ptr here) {
    return caf::make_counted<cluster_target>(system(), name, std::string{},
                                             std::move(here), node);
  }

  uint64_t last_id_ = 0;
};

} // namespace troupe::testing
