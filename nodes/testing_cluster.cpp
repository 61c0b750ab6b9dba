#include "nodes/testing_cluster.hpp"

#include <algorithm>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/cluster/memory_link.hpp"
#include "actors/model/placement.hpp"
#include "nodes/assembly.hpp"
#include "nodes/store/memory_cluster.hpp"
#include "nodes/store/memory_store.hpp"

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

/// What happens between two looks at the network.
constexpr std::chrono::nanoseconds step_max = 1ms;

/// How long a cluster may take to come to rest.
constexpr std::chrono::nanoseconds patience = 60s;

using coordinator = caf::scheduler::test_coordinator;

coordinator& scheduler_of(caf::actor_system& sys) {
  return dynamic_cast<coordinator&>(sys.scheduler());
}

bool run_jobs(caf::actor_system& sys) {
  auto& scheduler = scheduler_of(sys);
  auto ran = scheduler.has_job();
  while (scheduler.has_job())
    scheduler.run_once();
  return ran;
}

error away() {
  return {errc::store_unavailable, "the store is away"};
}

/// One node's way to the store.
struct store_way {
  bool is_away = false;
};

} // namespace

// -- the store, as one node reaches it ---------------------------------------

class cluster::leases final : public lease_table {
public:
  leases(lease_table& to, std::shared_ptr<store_way> way, bool proof)
    : to_(to), way_(std::move(way)), proof_(proof) {}

  void renew(lease_row mine, callback<lease_view> done) override {
    if (way_->is_away)
      return done(away());
    to_.renew(std::move(mine), std::move(done));
  }

  void declare_dead(std::string incarnation, uint64_t counter_seen,
                    callback<verdict> done) override {
    if (way_->is_away)
      return done(away());
    to_.declare_dead(std::move(incarnation), counter_seen, std::move(done));
  }

  void leave(std::string incarnation, callback<void> done) override {
    if (way_->is_away)
      return done(away());
    to_.leave(std::move(incarnation), std::move(done));
  }

  void forget(std::string incarnation) override {
    if (!way_->is_away)
      to_.forget(std::move(incarnation));
  }

  bool proven_dead(const std::string& incarnation) noexcept override {
    return proof_ && to_.proven_dead(incarnation);
  }

private:
  lease_table& to_;
  std::shared_ptr<store_way> way_;
  bool proof_;
};

class cluster::shards final : public shard_table {
public:
  shards(shard_table& to, std::shared_ptr<store_way> way)
    : to_(to), way_(std::move(way)) {}

  void read(uint32_t count, uint64_t version,
            callback<shard_view> done) override {
    if (way_->is_away)
      return done(away());
    to_.read(count, version, std::move(done));
  }

  void move(std::vector<shard_move> moves,
            callback<std::vector<move_result>> done) override {
    if (way_->is_away)
      return done(away());
    to_.move(std::move(moves), std::move(done));
  }

private:
  shard_table& to_;
  std::shared_ptr<store_way> way_;
};

class cluster::states final : public state_store {
public:
  states(state_store& to, std::shared_ptr<store_way> way)
    : to_(to), way_(std::move(way)) {}

  void claim(entity_id entity, fencing_token token,
             std::optional<shard_ownership> owned,
             callback<claimed_state> done) override {
    if (way_->is_away)
      return done(away());
    to_.claim(std::move(entity), token, std::move(owned), std::move(done));
  }

  void commit(commit_request request, commit_callback done) override {
    if (way_->is_away)
      return done(commit_outcome::failed);
    to_.commit(std::move(request), std::move(done));
  }

  void release(entity_id entity, fencing_token token) override {
    if (!way_->is_away)
      to_.release(std::move(entity), token);
  }

  void find_outcome(entity_id entity, std::string id,
                    callback<std::optional<recorded_outcome>> done) override {
    if (way_->is_away)
      return done(away());
    to_.find_outcome(std::move(entity), std::move(id), std::move(done));
  }

  void load(entity_id entity, callback<stored_state> done) override {
    if (way_->is_away)
      return done(away());
    to_.load(std::move(entity), std::move(done));
  }

  void list(list_request request,
            callback<std::vector<listed_entity>> done) override {
    if (way_->is_away)
      return done(away());
    to_.list(std::move(request), std::move(done));
  }

  std::string describe() const override { return to_.describe(); }

  lock_table* locks() noexcept override { return to_.locks(); }

private:
  state_store& to_;
  std::shared_ptr<store_way> way_;
};

// -- what all nodes share ----------------------------------------------------

struct cluster::world {
  world(const module& x, cluster_settings y)
    : content(x), settings(y), net(time_point{1s}, y.seed),
      shard_rows(std::make_shared<memory_shard_table>()), store(shard_rows) {}

  time_point now() const { return net.now(); }

  boot_time boot() const { return boot_time{now().time_since_epoch()}; }

  void step(time_point until);

  /// Runs all actors until they are quiet.
  void run();

  /// Until `condition` holds; false if it does not in time.
  template <class Condition>
  bool advance_until(std::chrono::nanoseconds longest, Condition condition) {
    run();
    for (auto end = now() + longest; !condition(); step(end))
      if (now() >= end)
        return false;
    return true;
  }

  bool is_settled() const;

  module content;
  const cluster_settings settings;
  memory_network net;
  memory_lease_table lease_rows;
  std::shared_ptr<memory_shard_table> shard_rows;
  memory_store store;
  bool store_is_away = false;
  std::vector<std::unique_ptr<member>> members;
};

// -- one node ----------------------------------------------------------------

class cluster::member final : public caller {
public:
  member(world& all, size_t index)
    : id("node-" + std::to_string(index)), all_(all) {}

  ~member() override { end(); }

  void start() {
    way = std::make_shared<store_way>();
    way->is_away = all_.store_is_away;
    ++run_;
    assembly_options options;
    options.virtual_time = true;
    auto& to = options.cluster.emplace();
    to.membership.self.node = id;
    to.membership.new_incarnation = [this] {
      return id + "." + std::to_string(run_) + "." + std::to_string(++name_);
    };
    to.shards = all_.settings.shards;
    to.clock = [this] { return all_.boot(); };
    to.make_link = [this](caf::actor_system& sys, const peer_identity& self) {
      return all_.net.join(self, sys.clock().now() - all_.now());
    };
    store_set store;
    store.states = std::make_unique<states>(all_.store, way);
    store.leases = std::make_shared<leases>(all_.lease_rows, way,
                                            all_.settings.proof_of_death);
    store.shards = std::make_shared<shards>(*all_.shard_rows, way);
    node =
      std::make_unique<assembly>(std::move(options), std::move(store),
                                 [](caf::actor_system& sys) { run_jobs(sys); });
    port_ = std::make_unique<call_port>(node->port());
    node->install("the module under test", all_.content).value();
    node->join({}).value();
  }

  /// Whatever it has under way does not come to pass.
  void end() {
    if (!node)
      return;
    incarnation = view().self;
    way->is_away = true;
    all_.net.kill(id);
    port_ = nullptr;
    node = nullptr;
  }

  void advance(std::chrono::nanoseconds time) {
    if (is_paused)
      missed_ += time;
    else
      scheduler_of(node->system()).advance_time(caf::timespan{time});
  }

  void catch_up() { advance(std::exchange(missed_, {})); }

  bool is_awake() const { return node && !is_paused; }

  const cluster_view& view() {
    view_ = node->cluster()->state().views.load();
    return *view_;
  }

  const service_definition* find_class(const std::type_info& type) override {
    auto& classes = port_->routes().classes;
    auto i = classes.find(std::type_index{type});
    return i != classes.end() ? i->second.get() : nullptr;
  }

  const std::string id;
  std::unique_ptr<assembly> node;
  std::shared_ptr<store_way> way;
  std::string incarnation; // of the last run
  bool is_paused = false;

private:
  expected<void> run(const invocation_ptr& call,
                     std::string_view name) override {
    if (!is_awake())
      return error{errc::bad_request, "node '" + id + "' does not run"};
    auto target = call->entity ? port_->service(name) : port_->function(name);
    if (!target)
      return target.error();
    port_->prepare(*call, **target, std::nullopt);
    submit_watched(port_->environment(), **target, call, node->system(),
                   nullptr);
    auto time = call->deadline - node->system().clock().now() + 1s;
    if (!all_.advance_until(time, [&] { return call->answered(); }))
      return error{errc::internal_error, "nothing is left that could answer"};
    return {};
  }

  world& all_;
  std::unique_ptr<call_port> port_;
  std::shared_ptr<const cluster_view> view_;
  uint64_t run_ = 0;
  uint64_t name_ = 0;
  std::chrono::nanoseconds missed_{};
};

// -- time --------------------------------------------------------------------

void cluster::world::run() {
  for (auto busy = true; busy;) {
    busy = false;
    for (auto& x : members)
      if (x->is_awake())
        busy = run_jobs(x->node->system()) || busy;
  }
}

void cluster::world::step(time_point until) {
  auto next = std::min(until, now() + step_max);
  if (auto due = net.next())
    next = std::clamp(*due, now(), next);
  for (auto& x : members)
    if (x->node)
      x->advance(next - now());
  net.advance(next);
  run();
}

bool cluster::world::is_settled() const {
  const std::vector<shard_place>* first = nullptr;
  auto running = std::count_if(members.begin(), members.end(),
                               [](auto& x) { return x->is_awake(); });
  for (auto& x : members) {
    if (!x->is_awake())
      continue;
    auto& view = x->view();
    auto up = std::count_if(view.nodes.begin(), view.nodes.end(),
                            [](auto& y) { return y.state == node_state::up; });
    if (up != running || view.nodes.size() != static_cast<size_t>(running)
        || view.shards.empty())
      return false;
    std::vector<ring_node> nodes;
    for (auto& y : view.nodes)
      nodes.push_back({y.node, std::max(y.capacity, 1u), y.zone});
    hash_ring ring{std::move(nodes)};
    auto wanted = place_shards(ring, settings.shards);
    for (uint32_t i = 0; i < wanted.size(); ++i) {
      auto owner = view.owner(i);
      if (!owner || owner->node != ring.nodes()[wanted[i]].name)
        return false;
    }
    if (first && *first != view.shards)
      return false;
    first = &view.shards;
  }
  return true;
}

// -- cluster -----------------------------------------------------------------

cluster::cluster(size_t count, const module& content, cluster_settings settings)
  : world_(std::make_unique<world>(content, settings)) {
  for (size_t i = 0; i < count; ++i)
    world_->members.push_back(std::make_unique<member>(*world_, i));
  for (auto& x : world_->members)
    x->start();
  settle();
}

cluster::~cluster() {
  for (auto& x : world_->members)
    x->end();
}

size_t cluster::size() const noexcept {
  return world_->members.size();
}

uint64_t cluster::seed() const noexcept {
  return world_->settings.seed;
}

caller& cluster::operator[](size_t i) {
  return *world_->members.at(i);
}

size_t cluster::any() const {
  for (size_t i = 0; i < size(); ++i)
    if (world_->members[i]->is_awake())
      return i;
  throw error_exception{error{errc::bad_request, "no node runs"}};
}

bool cluster::runs(size_t i) const {
  return world_->members.at(i)->node != nullptr;
}

std::optional<size_t> cluster::owner(const std::string& service,
                                     const std::string& key) const {
  auto& view = world_->members[any()]->view();
  auto owner = view.owner(view.shard_of(service, key));
  for (size_t i = 0; owner && i < size(); ++i)
    if (world_->members[i]->id == owner->node)
      return i;
  return std::nullopt;
}

std::optional<size_t> cluster::owner_of(const std::type_info& type,
                                        const std::string& key) {
  auto service = world_->members[any()]->find_class(type);
  if (!service)
    throw error_exception{error{errc::not_found, "no service has this class"}};
  return owner(service->name, key);
}

void cluster::kill(size_t i) {
  auto& x = *world_->members.at(i);
  x.end();
  x.is_paused = false;
  world_->lease_rows.process_ended(x.incarnation);
  world_->run();
}

void cluster::restart(size_t i) {
  world_->members.at(i)->start();
  world_->run();
}

void cluster::pause(size_t i) {
  auto& x = *world_->members.at(i);
  x.is_paused = true;
  world_->net.pause(x.id);
}

void cluster::resume(size_t i) {
  auto& x = *world_->members.at(i);
  x.is_paused = false;
  world_->net.resume(x.id);
  x.catch_up();
  world_->run();
}

void cluster::drain(size_t i) {
  auto& x = *world_->members.at(i);
  auto has_left = std::make_shared<bool>(false);
  x.node->cluster()->drain([has_left] { *has_left = true; });
  world_->advance_until(patience, [=] { return *has_left; });
  // What others sent before they knew is still answered.
  advance(1s);
  x.end();
}

void cluster::partition(const std::vector<size_t>& some) {
  for (size_t i = 0; i < size(); ++i)
    for (auto j : some)
      if (std::find(some.begin(), some.end(), i) == some.end())
        world_->net.part_both(world_->members[i]->id,
                              world_->members.at(j)->id);
}

void cluster::heal() {
  world_->net.heal();
}

void cluster::store_away(bool is_away) {
  world_->store_is_away = is_away;
  for (size_t i = 0; i < size(); ++i)
    if (runs(i))
      store_away(i, is_away);
}

void cluster::store_away(size_t i, bool is_away) {
  world_->members.at(i)->way->is_away = is_away;
}

void cluster::advance(std::chrono::nanoseconds time) {
  world_->run();
  for (auto end = now() + time; now() < end;)
    world_->step(end);
}

void cluster::settle() {
  if (!world_->advance_until(patience, [this] { return world_->is_settled(); }))
    throw error_exception{
      error{errc::deadline_exceeded, "the cluster does not come to rest"}};
}

std::chrono::steady_clock::time_point cluster::now() const {
  return world_->now();
}

} // namespace troupe::testing
