// The actors of one node, put together: the actor system, the supervision tree,
// the router, the deadlines and the store, but no sockets, no signals and no
// files of its own. A node, an embedding program and the test kit all build on
// this; only their surroundings differ.
//
//   root
//   ├─ router
//   ├─ deadlines
//   ├─ membership  if it is one of several nodes, once it has joined
//   ├─ locks       those who wait for one
//   ├─ functions   a pool for each version
//   ├─ exposed     a keeper for each exposed actor
//   └─ services    a host for each service
//
// All are one_for_one: none needs another to be what it was. The router and the
// pools keep their state outside of themselves (the route table, the targets),
// so one that is restarted goes on with it.

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/cluster/cluster_member.hpp"
#include "actors/cluster/lock_keeper.hpp"
#include "actors/core/backends.hpp"
#include "actors/core/deadline_keeper.hpp"
#include "actors/core/interfaces.hpp"
#include "actors/core/module.hpp"
#include "actors/core/route_table.hpp"
#include "actors/core/tree.hpp"
#include "actors/function/exposed_keeper.hpp"
#include "actors/function/pool.hpp"
#include "actors/routing/call_port.hpp"
#include "actors/routing/router.hpp"
#include "actors/service/service_target.hpp"
#include "actors/supervision/supervisor.hpp"
#include "actors/work/dispatcher.hpp"
#include "nodes/store/store_set.hpp"

namespace troupe {

struct assembly_options {
  /// Threads that run actors; 0: one for each CPU, at least two.
  uint32_t scheduler_threads = 0;

  /// Actors run on a `test_coordinator`, when the owner says so.
  bool virtual_time = false;

  /// An operator's word on the limits of a function; may be empty.
  std::function<function_limits(const std::string& name, function_limits)>
    adjust_limits;

  pool_options pool;
  exposed_options exposed;
  service_options service;
  dispatcher_options work;

  /// This node's incarnation where it has the store alone.
  std::string incarnation;

  /// Set if it is one of several nodes; needs a store that is shared.
  std::optional<cluster_options> cluster;

  /// What is needed of the actor system before it starts; may be empty.
  std::function<void(caf::actor_system_config&)> prepare;
};

class assembly {
public:
  /// @param settle runs actors until all is quiet, for virtual time; else empty
  /// @throws error_exception, std::runtime_error
  assembly(assembly_options options, store_set store,
           std::function<void(caf::actor_system&)> settle = {});

  assembly(const assembly&) = delete;

  /// Stops every actor in order; calls in flight are answered.
  ~assembly();

  // -- properties ------------------------------------------------------------

  caf::actor_system& system() noexcept { return system_; }

  const call_environment& environment() const noexcept { return env_; }

  state_store& store() noexcept { return *store_.states; }

  /// Null if it is a node by itself.
  cluster_member* cluster() noexcept { return cluster_.get(); }

  lock_keeper& locks() noexcept { return locks_; }

  dispatcher& work() noexcept { return work_; }

  /// Commits of this node that were refused because a lock had moved on.
  uint64_t locks_lost() const noexcept { return locks_lost_->load(); }

  deadline_keeper& deadlines() noexcept { return deadlines_; }

  /// A new port for one thread.
  call_port port() { return {system_, env_}; }

  std::shared_ptr<const route_table> routes() const { return routes_->load(); }

  // -- modules ---------------------------------------------------------------

  /// Makes the functions, services and exposed actors of `content` callable; a
  /// function that `owner` brought before gets a new version, and calls in
  /// flight finish on the old one. All or nothing. Fails with `bad_request` if a
  /// name belongs to another owner.
  expected<void> install(const std::string& owner, const module& content);

  // -- the cluster -----------------------------------------------------------

  /// Becomes a member: what was installed is served from then on. Answered when
  /// it has begun, not when it is up. @pre it is one of several nodes
  /// @param http_url where clients reach it; may be empty
  expected<void> join(std::string http_url);

  /// The store has another history: forgets what it has read and claimed, and
  /// joins anew. Thread-safe, never blocks.
  void begin_anew();

  // -- control ---------------------------------------------------------------

  /// The supervision tree; `deadline_exceeded` if it does not answer in time.
  expected<tree_node> tree();

  /// The same without waiting: `done` is called once, on any thread.
  void ask_tree(std::function<void(expected<tree_node>)> done);

  /// New calls are refused; waits until those in flight are answered. False if
  /// the time was up before.
  bool drain(std::chrono::milliseconds time);

private:
  /// The children that a supervisor gets when it is started, again and again.
  class catalog;

  /// Asks an actor and waits, in real or virtual time.
  template <class R, class Handle, class... Ts>
  expected<R> ask(const Handle& whom, const Ts&... what);

  expected<caf::actor> find_child(const std::string& id);

  /// Starts a child of the supervisor `group` and keeps its specification.
  expected<void> start_child(const std::string& group, child_spec spec);

  using child_predicate = std::function<bool(const child_info&)>;

  expected<std::vector<child_info>> children_of(const std::string& group);

  /// Lets children finish the calls that are in them, and end.
  void let_go(const std::string& group, const child_predicate& which);

  /// Takes those that have ended out of their supervisors' lists.
  void forget_those_that_left();

  expected<route_change> start_all(const std::string& owner,
                                   const module& content,
                                   const std::vector<uint64_t>& versions);

  /// Stops what an install that failed has started.
  error take_back(error reason);

  /// Lets what `change` has replaced finish and end.
  void retire(const route_table& before, const route_change& change,
              const published_change& published);

  /// The host actor that a service has now; null if there is no such.
  caf::actor host_of(const std::string& service) const;

  function_limits limits_of(const std::string& name,
                            function_limits limits) const;

  /// What callers get for a name: `here`, or what may send calls elsewhere.
  call_target_ptr route_to(const std::string& name, call_target_ptr here);

  /// Ends the activations of shards that go to another node.
  void let_go_of(const std::vector<uint32_t>& shards,
                 std::function<void()> done) const;

  child_spec group_spec(const std::string& name);

  /// Who shares the queue of the store.
  work_peers peers_at_work() const;

  void start_root();

  void stop_root();

  assembly_options options_;
  store_set store_;
  lock_keeper locks_;
  const std::shared_ptr<std::atomic<uint64_t>> locks_lost_ =
    std::make_shared<std::atomic<uint64_t>>(0);
  std::unique_ptr<caf::actor_system_config> config_;
  std::shared_ptr<route_source> routes_;
  caf::actor_system system_;
  deadline_keeper deadlines_;
  call_environment env_;
  std::function<void(caf::actor_system&)> settle_;
  std::unique_ptr<cluster_member> cluster_;
  std::mutex installing_;
  std::map<std::string, std::shared_ptr<catalog>> catalogs_;
  std::set<std::pair<std::string, std::string>> leaving_;    // group, id
  std::vector<std::pair<std::string, std::string>> started_; // group and id
  uint64_t generation_ = 0; // numbers the hosts that a service gets in time
  dispatcher work_;
  supervisor_actor root_;
};

} // namespace troupe
