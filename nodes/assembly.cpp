#include "nodes/assembly.hpp"

#include <algorithm>
#include <numeric>
#include <thread>

#include <caf/actor_registry.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/cluster/cluster_target.hpp"
#include "actors/core/atoms.hpp"
#include "actors/core/caf_error.hpp"
#include "actors/function/exposed_keeper.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "actors/service/host.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// What the whole tree may take to stop; its parts have shorter limits.
constexpr auto stop_limit = 10s;

/// How long links may take to send what is to be sent.
constexpr auto link_stop_limit = 2s;

/// How long a pool or a host may take to end when it is stopped.
constexpr auto child_stop_limit = 2s;

std::unique_ptr<caf::actor_system_config>
make_config(const assembly_options& options) {
  auto result = std::make_unique<caf::actor_system_config>();
  if (options.virtual_time) {
    result->set("scheduler.policy", caf::atom("testing"));
  } else {
    auto cores = std::max(2u, std::thread::hardware_concurrency());
    auto threads =
      options.scheduler_threads ? options.scheduler_threads : cores;
    result->set("scheduler.policy", caf::atom("sharing"));
    result->set("scheduler.max-threads", size_t{threads});
    result->set("scheduler.max-throughput",
                defaults::scheduler::max_throughput);
  }
  if (options.prepare)
    options.prepare(*result);
  return result;
}

supervisor_options group_options(std::string name) {
  supervisor_options result;
  result.name = std::move(name);
  // The death of a pool or a host is a defect of ours, not of the code that it
  // runs: a few are survived, a stream of them is escalated.
  result.intensity = 10;
  result.period = 10s;
  result.describe_timeout = 500ms;
  return result;
}

std::string pool_id(const std::string& name, uint64_t version) {
  return name + ":" + std::to_string(version);
}

} // namespace

class assembly::catalog {
public:
  void add(child_spec spec) {
    std::lock_guard guard{mutex_};
    specs_.push_back(std::move(spec));
  }

  void remove(const std::string& id) {
    std::lock_guard guard{mutex_};
    std::erase_if(specs_, [&](auto& x) { return x.id == id; });
  }

  std::vector<child_spec> all() const {
    std::lock_guard guard{mutex_};
    return specs_;
  }

private:
  mutable std::mutex mutex_;
  std::vector<child_spec> specs_;
};

assembly::assembly(assembly_options options, store_set store,
                   std::function<void(caf::actor_system&)> settle)
  : options_(std::move(options)), store_(std::move(store)),
    locks_(store_.states->locks()), config_(make_config(options_)),
    routes_(std::make_shared<route_source>()), system_(*config_),
    deadlines_(system_.clock().now()), env_{*routes_, deadlines_,
                                            !options_.virtual_time},
    settle_(std::move(settle)),
    work_(store_.states->work(), peers_at_work(), env_, options_.work) {
  if (!options_.service.budget)
    options_.service.budget = std::make_shared<activation_budget>();
  options_.service.locks_lost = locks_lost_;
  if (store_.states->commits_work())
    options_.service.outlet = &work_;
  if (options_.cluster) {
    if (!store_.is_shared())
      throw error_exception{error{
        errc::bad_request, "a node of a cluster needs a store that is shared"}};
    cluster_ = std::make_unique<cluster_member>(
      system_, env_, *options_.cluster, *store_.leases, *store_.shards);
    options_.service.ownership = &cluster_->state().owned;
    options_.service.lease = &cluster_->state().lease;
  }
  start_root();
}

assembly::~assembly() {
  if (cluster_)
    cluster_->stop(link_stop_limit);
  stop_root();
  deadlines_.on_armed({});
  routes_->publish(std::make_shared<route_table>());
  if (settle_)
    settle_(system_);
  else
    options_.service.budget->wait_until_all_ended();
  // Their callbacks may still speak to actors.
  store_.leases.reset();
  store_.shards.reset();
  store_.states.reset();
}

// -- modules -----------------------------------------------------------------

expected<void> assembly::install(const std::string& owner,
                                 const module& content) {
  std::lock_guard guard{installing_};
  if (!leaving_.empty())
    forget_those_that_left();
  module_claim claim;
  claim.owner = owner;
  for (auto& x : content.functions())
    claim.functions.push_back(x->name);
  for (auto& x : content.exposed())
    claim.functions.push_back(x->name);
  for (auto& x : content.services())
    claim.services.push_back(x->name);
  auto router = find_child("router");
  if (!router)
    return router.error();
  auto handle = caf::actor_cast<router_actor>(*router);
  auto versions = ask<std::vector<uint64_t>>(handle, atom::claim::value, claim);
  if (!versions)
    return versions.error();
  started_.clear();
  auto change = start_all(owner, content, *versions);
  if (!change)
    return take_back(change.error());
  auto before = routes();
  auto published = ask<published_change>(handle, atom::publish::value, *change);
  if (!published)
    return take_back(published.error());
  retire(*before, *change, *published);
  return {};
}

error assembly::take_back(error reason) {
  for (auto& [group, id] : started_)
    let_go(group, [&id = id](auto& child) { return child.id == id; });
  return reason;
}

void assembly::retire(const route_table& before, const route_change& change,
                      const published_change& published) {
  for (auto& x : change.services) {
    auto i = before.services.find(x.name);
    if (i == before.services.end())
      continue;
    auto& old = static_cast<service_target&>(i->second.host->here());
    old.succeeded_by(call_target_ptr{&x.host->here()});
    if (auto host = old.host_handle())
      let_go("services", [&](auto& child) { return child.handle == host; });
  }
  // Calls that are in them finish, however long that takes.
  for (auto& [name, version] : published.dropped)
    for (auto group : {"functions", "exposed"})
      let_go(group, [id = pool_id(name, version)](auto& child) {
        return child.id == id;
      });
}

caf::actor assembly::host_of(const std::string& service) const {
  auto table = routes();
  auto i = table->services.find(service);
  return i != table->services.end()
           ? static_cast<service_target&>(i->second.host->here()).host_handle()
           : caf::actor{};
}

expected<route_change>
assembly::start_all(const std::string& owner, const module& content,
                    const std::vector<uint64_t>& versions) {
  route_change change;
  change.owner = owner;
  auto version = versions.begin();
  for (auto& x : content.functions()) {
    function_target_ptr target{
      new function_target(system_, x, *version, limits_of(x->name, x->limits),
                          env_),
      false};
    child_spec spec;
    spec.id = pool_id(x->name, *version);
    spec.kind = child_kind::supervisor;
    spec.role = "pool";
    spec.restart = restart_type::transient; // a drained one stays down
    spec.stop = stop_policy::within(child_stop_limit);
    spec.start = [target, options = options_.pool](caf::local_actor* parent) {
      return caf::expected<caf::actor>{
        parent->spawn<pool_actor>(target, options)};
    };
    if (auto started = start_child("functions", std::move(spec)); !started)
      return started.error();
    change.functions.push_back(
      {x->name, *version++, route_to(x->name, target)});
  }
  for (auto& x : content.exposed()) {
    exposed_target_ptr target{
      new exposed_target(system_, x, limits_of(x->name, x->limits), env_),
      false};
    child_spec spec;
    spec.id = pool_id(x->name, *version);
    spec.kind = child_kind::supervisor;
    spec.role = "exposed";
    spec.restart = restart_type::transient;
    spec.stop = stop_policy::within(child_stop_limit);
    spec.start = [target,
                  options = options_.exposed](caf::local_actor* parent) {
      return caf::expected<caf::actor>{
        parent->spawn<exposed_keeper>(target, options)};
    };
    if (auto started = start_child("exposed", std::move(spec)); !started)
      return started.error();
    change.functions.push_back(
      {x->name, *version++, route_to(x->name, target)});
  }
  for (auto& x : content.services()) {
    service_target_ptr target{
      new service_target(x, *store_.states, env_, options_.service), false};
    child_spec spec;
    spec.id = x->name + "#" + std::to_string(++generation_);
    spec.kind = child_kind::supervisor;
    spec.role = "host";
    spec.restart = restart_type::transient;
    spec.stop = stop_policy::within(child_stop_limit);
    spec.start = [target,
                  predecessor = host_of(x->name)](caf::local_actor* parent) {
      return caf::expected<caf::actor>{
        parent->spawn<host_actor>(target, predecessor)};
    };
    if (auto started = start_child("services", std::move(spec)); !started)
      return started.error();
    change.services.push_back({x->name, route_to(x->name, target), x});
  }
  return change;
}

call_target_ptr assembly::route_to(const std::string& name,
                                   call_target_ptr here) {
  if (!cluster_)
    return here;
  return call_target_ptr{
    new cluster_target(system_, name, {}, std::move(here), cluster_->router()),
    false};
}

// -- the cluster -------------------------------------------------------------

expected<void> assembly::join(std::string http_url) {
  auto spec = cluster_->membership(
    std::move(http_url), [this](auto& shards, std::function<void()> done) {
      let_go_of(shards, std::move(done));
    });
  auto started = ask<caf::actor>(root_, atom::start::value, spec);
  if (!started)
    return started.error();
  return {};
}

void assembly::begin_anew() {
  std::vector<uint32_t> all(cluster_ ? cluster_->options().shards : 1);
  std::iota(all.begin(), all.end(), 0u);
  if (cluster_) {
    // What it knew is gone with it; the next one owns nothing at first.
    cluster_->state().owned.begin({});
    cluster_->state().lease.end();
    if (auto membership = cluster_->membership_handle())
      caf::anon_send_exit(membership, caf::exit_reason::kill);
  }
  let_go_of(all, [] {});
}

void assembly::let_go_of(const std::vector<uint32_t>& shards,
                         std::function<void()> done) const {
  auto count = cluster_ ? cluster_->options().shards : 1;
  auto set = std::make_shared<std::vector<bool>>(count, false);
  for (auto x : shards)
    (*set)[x] = true;
  // The last to go calls it.
  std::shared_ptr<void> all{nullptr,
                            [done = std::move(done)](void*) { done(); }};
  auto table = routes();
  for (auto& [name, route] : table->services)
    static_cast<service_target&>(route.host->here()).let_go(set, [all] {});
}

function_limits assembly::limits_of(const std::string& name,
                                    function_limits limits) const {
  return options_.adjust_limits ? options_.adjust_limits(name, limits) : limits;
}

// -- children ----------------------------------------------------------------

template <class R, class Handle, class... Ts>
expected<R> assembly::ask(const Handle& whom, const Ts&... what) {
  caf::scoped_actor self{system_};
  expected<R> result{
    error{errc::deadline_exceeded, "an actor of the node does not answer"}};
  auto pending =
    self->request(whom, caf::duration{defaults::control_timeout * 5}, what...);
  if (settle_)
    settle_(system_);
  pending.receive([&](R& x) { result = std::move(x); },
                  [&](caf::error& e) {
                    result = e.category() == caf::atom("supervisor")
                               ? error{errc::internal_error, system_.render(e)}
                               : to_error(e);
                  });
  return result;
}

expected<caf::actor> assembly::find_child(const std::string& id) {
  auto all = ask<std::vector<child_info>>(root_, atom::children::value);
  if (!all)
    return all.error();
  for (auto& x : *all)
    if (x.id == id && x.handle)
      return x.handle;
  return error{errc::internal_error, "'" + id + "' is not up"};
}

expected<void> assembly::start_child(const std::string& group,
                                     child_spec spec) {
  auto parent = find_child(group);
  if (!parent)
    return parent.error();
  auto started = ask<caf::actor>(caf::actor_cast<supervisor_actor>(*parent),
                                 atom::start::value, spec);
  if (!started)
    return started.error();
  started_.emplace_back(group, spec.id);
  catalogs_[group]->add(std::move(spec));
  return {};
}

expected<std::vector<child_info>>
assembly::children_of(const std::string& group) {
  auto parent = find_child(group);
  if (!parent)
    return parent.error();
  return ask<std::vector<child_info>>(
    caf::actor_cast<supervisor_actor>(*parent), atom::children::value);
}

void assembly::let_go(const std::string& group, const child_predicate& which) {
  auto children = children_of(group);
  if (!children)
    return;
  for (auto& x : *children)
    if (x.handle && which(x)) {
      catalogs_[group]->remove(x.id);
      leaving_.emplace(group, x.id);
      caf::anon_send(x.handle, atom::drain::value);
    }
}

void assembly::forget_those_that_left() {
  for (auto group : {"functions", "exposed", "services"}) {
    auto parent = find_child(group);
    auto children = children_of(group);
    if (!parent || !children)
      continue;
    for (auto& x : *children)
      if (x.state == child_state::down && leaving_.erase({group, x.id}) > 0)
        static_cast<void>(
          ask<child_info>(caf::actor_cast<supervisor_actor>(*parent),
                          atom::erase::value, x.id));
  }
}

child_spec assembly::group_spec(const std::string& name) {
  auto children = catalogs_[name] = std::make_shared<catalog>();
  child_spec result;
  result.id = name;
  result.kind = child_kind::supervisor;
  result.start =
    [name, children](caf::local_actor* parent) -> caf::expected<caf::actor> {
    auto started = supervisor(parent, group_options(name), children->all());
    if (!started)
      return started.error();
    return caf::actor_cast<caf::actor>(*started);
  };
  return result;
}

/// Views are not older than the lease is valid: it is renewed by reading them.
work_peers assembly::peers_at_work() const {
  if (!options_.cluster)
    return {[own = options_.incarnation] { return own; },
            [own = options_.incarnation] {
              return std::optional{std::vector<std::string>{own}};
            }};
  auto self = [this]() -> std::string {
    if (!cluster_ || !cluster_->state().lease.valid())
      return {};
    auto view = cluster_->state().views.load();
    return view->own() ? view->self : std::string{};
  };
  auto alive = [this]() -> std::optional<std::vector<std::string>> {
    if (!cluster_ || !cluster_->state().lease.valid())
      return std::nullopt;
    auto view = cluster_->state().views.load();
    if (!view->own())
      return std::nullopt;
    std::vector<std::string> result;
    for (auto& x : view->nodes)
      result.push_back(x.incarnation);
    return result;
  };
  return {self, alive};
}

void assembly::start_root() {
  child_spec router_spec;
  router_spec.id = "router";
  router_spec.role = "router";
  router_spec.start = [routes = routes_](caf::local_actor* parent) {
    return caf::expected<caf::actor>{
      caf::actor_cast<caf::actor>(parent->spawn(router, routes))};
  };
  child_spec ticker_spec;
  ticker_spec.id = "deadlines";
  ticker_spec.role = "deadlines";
  ticker_spec.start = [this](caf::local_actor*) {
    return caf::expected<caf::actor>{
      spawn_deadline_ticker(system_, deadlines_)};
  };
  child_spec lock_spec;
  lock_spec.id = "locks";
  lock_spec.role = "locks";
  lock_spec.start = [this](caf::local_actor* parent) {
    return caf::expected<caf::actor>{locks_.start(parent)};
  };
  child_spec work_spec;
  work_spec.id = "work";
  work_spec.role = "dispatcher";
  work_spec.start = [this](caf::local_actor* parent) {
    return caf::expected<caf::actor>{work_.start(parent)};
  };
  auto options = group_options("root");
  options.describe_timeout = defaults::control_timeout;
  auto root =
    supervisor(system_, options,
               {router_spec, ticker_spec, lock_spec, group_spec("functions"),
                group_spec("exposed"), group_spec("services"), work_spec});
  if (!root)
    throw std::runtime_error("the node's actors cannot start: "
                             + system_.render(root.error()));
  root_ = *root;
  if (settle_)
    settle_(system_);
}

void assembly::stop_root() {
  caf::scoped_actor self{system_};
  self->monitor(root_);
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  root_ = nullptr;
  if (settle_)
    settle_(system_);
  self->receive([](const caf::down_msg&) {}, caf::after(stop_limit) >> [] {});
  // Nothing waits forever for an actor of the user's that does not end.
  auto until = std::chrono::steady_clock::now() + child_stop_limit;
  while (system_.registry().running() > 1
         && std::chrono::steady_clock::now() < until) {
    if (settle_)
      settle_(system_);
    std::this_thread::sleep_for(1ms);
  }
  if (system_.registry().running() > 1)
    system_.await_actors_before_shutdown(false);
}

// -- control -----------------------------------------------------------------

expected<tree_node> assembly::tree() {
  return ask<tree_node>(root_, atom::describe::value);
}

void assembly::ask_tree(std::function<void(expected<tree_node>)> done) {
  system_.spawn([root = root_, done](caf::event_based_actor* self) {
    self
      ->request(root, caf::duration{2 * defaults::control_timeout},
                atom::describe::value)
      .then([done](tree_node& tree) { done(std::move(tree)); },
            [done](caf::error&) {
              done(error{errc::deadline_exceeded, effect::none,
                         "the actors do not describe themselves in time"});
            });
  });
}

bool assembly::drain(std::chrono::milliseconds time) {
  auto table = routes();
  for (auto group : {"functions", "exposed", "services"})
    if (auto parent = find_child(group))
      if (auto children = ask<std::vector<child_info>>(
            caf::actor_cast<supervisor_actor>(*parent), atom::children::value))
        for (auto& x : *children)
          if (x.handle)
            caf::anon_send(x.handle, atom::drain::value);
  auto busy = [&] {
    auto waits = [](const call_target& x) {
      auto stats = x.stats();
      return stats.in_flight + stats.queued > 0;
    };
    auto one = [&](auto& route) {
      return std::any_of(route.second.versions.begin(),
                         route.second.versions.end(),
                         [&](auto& x) { return waits(*x.second); });
    };
    return std::any_of(table->functions.begin(), table->functions.end(), one)
           || std::any_of(table->services.begin(), table->services.end(),
                          [&](auto& x) { return waits(*x.second.host); });
  };
  auto until = std::chrono::steady_clock::now() + time;
  while (busy()) {
    if (std::chrono::steady_clock::now() >= until)
      return false;
    if (settle_)
      settle_(system_);
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

} // namespace troupe
