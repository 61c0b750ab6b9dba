#include "tests/support/simulated_cluster.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <caf/actor_system.hpp>
#include <nlohmann/json.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/deadline_keeper.hpp"
#include "actors/core/module.hpp"
#include "actors/core/route_table.hpp"
#include "actors/core/submit.hpp"
#include "actors/model/placement.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "actors/service/host.hpp"
#include "actors/service/service_target.hpp"
#include "nodes/simulation/virtual_process.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

namespace {

/// When whoever asked the store is told that it failed.
constexpr simulation::duration store_timeout = 1s;

/// When a client gives up.
constexpr simulation::duration client_timeout = 12s;

constexpr simulation::duration call_timeout = 5s;

struct counter {
  int64_t value = 0;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)

  int64_t get() const { return value; }

  int64_t increment(int64_t by) { return value += by; }
};

module counters() {
  module result;
  result.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment);
  return result;
}

error away() {
  return {errc::store_unavailable, "the store is away"};
}

/// Planted: a lease that never ends.
class endless_lease final : public node_lease {
public:
  bool valid(std::chrono::steady_clock::time_point) const noexcept override {
    return true;
  }
};

/// Planted: what was owned once is owned for ever.
class stale_ownership final : public entity_ownership {
public:
  explicit stale_ownership(owned_shards& inner)
    : inner_(inner), last_(inner.count()) {}

  uint32_t shard_of(const entity_id& entity) const noexcept override {
    return inner_.shard_of(entity);
  }

  uint64_t epoch(uint32_t shard) const noexcept override {
    if (auto now = inner_.find(shard))
      last_[shard] = *now;
    return last_[shard] ? last_[shard]->epoch : 0;
  }

  std::optional<shard_ownership> find(uint32_t shard) const override {
    epoch(shard);
    return last_[shard];
  }

  void doubt(uint32_t shard) noexcept override { inner_.doubt(shard); }

private:
  owned_shards& inner_;
  mutable std::vector<std::optional<shard_ownership>> last_;
};

} // namespace

// -- the way of one node to the store ----------------------------------------

class simulation::leases final : public lease_table {
public:
  leases(simulation& sim, node& owner) : sim_(sim), owner_(owner) {}

  void renew(lease_row mine, callback<lease_view> done) override {
    sim_.ask<expected<lease_view>>(
      owner_,
      [=, this](auto f) { sim_.lease_table_.renew(mine, std::move(f)); },
      std::move(done), away());
  }

  void declare_dead(std::string incarnation, uint64_t counter_seen,
                    callback<troupe::verdict> done) override {
    sim_.ask<expected<troupe::verdict>>(
      owner_,
      [=, this](auto f) {
        sim_.lease_table_.declare_dead(incarnation, counter_seen, std::move(f));
      },
      std::move(done), away());
  }

  void leave(std::string incarnation, callback<void> done) override {
    sim_.ask<expected<void>>(
      owner_,
      [=, this](auto f) { sim_.lease_table_.leave(incarnation, std::move(f)); },
      std::move(done), away());
  }

  void forget(std::string incarnation) override {
    sim_.ask<bool>(
      owner_, [=, this](auto) { sim_.lease_table_.forget(incarnation); },
      [](bool) {}, false);
  }

  bool proven_dead(const std::string& incarnation) noexcept override {
    return sim_.options_.proof_of_death
           && sim_.lease_table_.proven_dead(incarnation);
  }

private:
  simulation& sim_;
  node& owner_;
};

class simulation::shard_rows final : public shard_table {
public:
  shard_rows(simulation& sim, node& owner) : sim_(sim), owner_(owner) {}

  void read(uint32_t count, uint64_t version,
            callback<shard_view> done) override {
    sim_.ask<expected<shard_view>>(
      owner_,
      [=, this](auto f) {
        sim_.shard_table_->read(count, version, std::move(f));
      },
      std::move(done), away());
  }

  void move(std::vector<shard_move> moves,
            callback<std::vector<move_result>> done) override {
    using results = expected<std::vector<move_result>>;
    results failure = away();
    if (sim_.options_.bugs.unknown_move_ignored) {
      std::vector<move_result> nothing;
      for (auto& x : moves)
        nothing.push_back(
          {false, {x.shard, x.expected_owner, x.expected_epoch}});
      failure = std::move(nothing);
    }
    auto apply = [=, this](std::function<void(results)> f) {
      sim_.shard_table_->move(moves, [&](results x) {
        for (auto& y : *x)
          sim_.moves_ += y.moved;
        f(std::move(x));
      });
    };
    sim_.ask<results>(owner_, apply, std::move(done), std::move(failure));
  }

private:
  simulation& sim_;
  node& owner_;
};

class simulation::states final : public state_store {
public:
  states(simulation& sim, node& owner) : sim_(sim), owner_(owner) {}

  void claim(entity_id entity, fencing_token token,
             std::optional<shard_ownership> owned,
             callback<claimed_state> done) override {
    using found = expected<claimed_state>;
    auto apply = [=, this](std::function<void(found)> f) {
      auto grounds = sim_.options_.bugs.claim_unchecked ? std::nullopt : owned;
      sim_.store_.claim(entity, token, grounds, [&](found x) {
        if (x)
          sim_.watch_claim(owned, entity, token);
        f(std::move(x));
      });
    };
    sim_.ask<found>(owner_, apply, std::move(done), away());
  }

  void commit(commit_request request, commit_callback done) override {
    auto failure =
      sim_.is_away(owner_) ? commit_outcome::failed : commit_outcome::unknown;
    auto apply = [=, this](std::function<void(commit_outcome)> f) {
      auto x = sim_.options_.bugs.token_unchecked ? forced(request) : request;
      sim_.store_.commit(x, [&](commit_outcome outcome) {
        if (outcome == commit_outcome::done)
          sim_.watch_commit(request.entity, request.token);
        f(outcome);
      });
    };
    sim_.ask<commit_outcome>(owner_, apply, std::move(done), failure);
  }

  void release(entity_id entity, fencing_token token) override {
    sim_.ask<bool>(
      owner_, [=, this](auto) { sim_.store_.release(entity, token); },
      [](bool) {}, false);
  }

  void find_outcome(entity_id entity, std::string id,
                    callback<std::optional<recorded_outcome>> done) override {
    sim_.ask<expected<std::optional<recorded_outcome>>>(
      owner_,
      [=, this](auto f) { sim_.store_.find_outcome(entity, id, std::move(f)); },
      std::move(done), away());
  }

  void load(entity_id entity, callback<stored_state> done) override {
    sim_.store_.load(std::move(entity), std::move(done));
  }

  void list(list_request request,
            callback<std::vector<listed_entity>> done) override {
    sim_.store_.list(std::move(request), std::move(done));
  }

  std::string describe() const override { return "simulated:"; }

private:
  /// What is done whatever the token and the revision are.
  commit_request forced(commit_request x) {
    sim_.store_.claim(x.entity, x.token, [&](expected<claimed_state> found) {
      auto changes = x.next.revision != x.base;
      x.base = found->found.revision;
      x.next.revision = x.base + (changes ? 1 : 0);
    });
    return x;
  }

  simulation& sim_;
  node& owner_;
};

// -- a node ------------------------------------------------------------------

class simulation::node {
public:
  /// @param name what it is called here
  /// @param self what it takes itself for
  node(simulation& sim, std::string name, lease_row self, double rate)
    : id(std::move(name)), leases_(sim, *this), shards_(sim, *this),
      states_(sim, *this), sim_(sim),
      state(sim.options_.shards, cluster_state::default_lease,
            [this] { return process.boot(); }),
      stale_(state.owned), module_(counters()), process(sim.time_, rate) {
    begin(std::move(self));
  }

  ~node() {
    process.end({&membership_, &host_, &ticker_});
    deadlines_.on_armed({});
  }

  // -- calls -----------------------------------------------------------------

  bool serves(uint32_t shard) const {
    return lease().valid(process.clock()) && ownership().epoch(shard) != 0;
  }

  void submit(const invocation_ptr& call) {
    call->submitted = process.clock();
    call->deadline = process.clock() + call_timeout;
    submit_watched(env_, *target_, call, process.system(), nullptr);
  }

  void drain(std::function<void()> done) {
    process.system().spawn<caf::hidden>(
      [done, to = membership_](caf::event_based_actor* self) {
        self->request(to, caf::infinite, atom::drain::value).then([done] {
          done();
        });
      });
  }

  const std::string id;
  std::string refusal;
  std::vector<std::string> turned_away;
  bool store_is_away = false;

private:
  leases leases_;
  shard_rows shards_;
  states states_;
  simulation& sim_;

public:
  cluster_state state;

private:
  const node_lease& lease() const {
    if (sim_.options_.bugs.expired_lease_served)
      return endless_;
    return state.lease;
  }

  const entity_ownership& ownership() const {
    if (sim_.options_.bugs.stale_epoch_accepted)
      return stale_;
    return state.owned;
  }

  void begin(lease_row self) {
    auto& system = process.system();
    ticker_ = spawn_deadline_ticker(system, deadlines_);
    service_options options;
    options.lease = &lease();
    options.ownership = const_cast<entity_ownership*>(&ownership());
    options.idle_time = 20s;
    auto& service = module_.services().front();
    target_ =
      caf::make_counted<service_target>(service, states_, env_, options);
    host_ = system.spawn<host_actor>(target_);
    auto table = std::make_shared<route_table>();
    table->services["counter"] = {"", target_, service};
    routes_.publish(table);
    membership_ = system.spawn<membership_actor>(membership(std::move(self)),
                                                 state, leases_, shards_);
    process.run();
  }

  membership_options membership(lease_row self) {
    membership_options result;
    result.self = std::move(self);
    result.self.http_url = "http://" + id;
    result.new_incarnation = [this] {
      return std::to_string(++sim_.incarnations_) + " of " + id;
    };
    result.let_go = [this](const std::vector<uint32_t>& shards,
                           std::function<void()> done) {
      auto set = std::make_shared<std::vector<bool>>(state.owned.count());
      for (auto x : shards)
        (*set)[x] = true;
      target_->let_go(std::move(set), std::move(done));
    };
    result.refused = [this](const std::string& why) { refusal = why; };
    result.turned_away = [this](const std::string& why) {
      turned_away.push_back(why);
    };
    if (sim_.options_.bugs.judged_without_looking)
      result.watch.gap_max = 10h;
    result.validate(cluster_state::default_lease);
    return result;
  }

  endless_lease endless_;
  stale_ownership stale_;
  module module_;
  route_source routes_;
  deadline_keeper deadlines_{time_point{}};
  call_environment env_{routes_, deadlines_, false};

public:
  virtual_process process;

private:
  service_target_ptr target_;
  caf::actor membership_;
  caf::actor host_;
  caf::actor ticker_;
};

// -- a client's call ---------------------------------------------------------

struct simulation::client_call final
  : reply_port,
    std::enable_shared_from_this<client_call> {
  client_call(simulation& all, const std::string& key, int64_t by)
    : sim(all), call(caf::make_counted<raw_invocation>(
                  payload{by == 0 ? "" : std::to_string(by), {}})) {
    call->entity = std::make_unique<entity_call>(
      entity_call{"counter", key, by == 0 ? "get" : "increment"});
    call->port = this;
  }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    if (!sim.chance(sim.calls_lost))
      sim.after(sim.between(100us, 3ms),
                [this, keep = std::move(self)] { sim.answer(keep); });
    else
      self.reset();
  }

  simulation& sim;
  caf::intrusive_ptr<raw_invocation> call;
  size_t record = 0;
  bool ended = false;
  std::shared_ptr<client_call> self; // while the call may be answered
};

void simulation::call(uint32_t client, const std::string& key, int64_t by,
                      const std::string& via) {
  auto x = std::make_shared<client_call>(*this, key, by);
  x->call->id = {1, ++calls_made_};
  x->record = calls.begin(client, key, {by});
  after(client_timeout, [this, x] {
    if (!std::exchange(x->ended, true))
      calls.unknown(x->record);
  });
  auto names = alive();
  if (names.empty() || chance(calls_lost))
    return;
  auto gateway = via.empty() ? names[random_() % names.size()] : via;
  auto hop = [this] { return between(100us, 5ms); };
  after(hop(), [=, this] {
    auto i = nodes_.find(gateway);
    if (i == nodes_.end())
      return; // it hears nothing
    i->second->process.receive([=, this, at = i->second.get()] {
      auto view = at->state.views.load();
      auto owner = view->shards.empty()
                     ? nullptr
                     : view->owner(view->shard_of("counter", key));
      auto goes_astray = chance(100);
      if (!owner || owner->node == at->id || goes_astray) {
        x->self = x;
        at->submit(x->call);
        return;
      }
      after(hop(), [=, this, name = owner->node] {
        auto j = nodes_.find(name);
        if (j == nodes_.end())
          return;
        j->second->process.receive([x, to = j->second.get()] {
          x->self = x;
          to->submit(x->call);
        });
      });
    });
  });
}

void simulation::answer(const std::shared_ptr<client_call>& x) {
  if (std::exchange(x->ended, true))
    return;
  if (auto failure = x->call->failure())
    calls.ended(x->record, to_string(failure->what_happened()),
                std::string{failure->type()});
  else
    calls.completed(x->record, std::stoll(x->call->result().bytes));
}

// -- the simulation ----------------------------------------------------------

simulation::simulation(simulation_options options)
  : options_(options), random_(options.seed),
    shard_table_(std::make_shared<memory_shard_table>()), store_(shard_table_) {
}

simulation::~simulation() {
  time_.clear();
  for (auto& [id, x] : nodes_)
    x->process.die();
  nodes_.clear();
  graves_.clear();
  time_.clear();
}

simulation::duration simulation::between(duration least, duration most) {
  return least
         + duration{static_cast<int64_t>(
           random_() % static_cast<uint64_t>((most - least).count() + 1))};
}

void simulation::advance(duration d) {
  auto end = now() + d;
  for (;;) {
    auto next = std::min(end, time_.next().value_or(end));
    node* due = nullptr;
    for (auto& [id, x] : nodes_)
      if (auto when = x->process.next_due(); when && *when < next) {
        next = *when;
        due = x.get();
      }
    time_.go_to(next);
    if (due)
      due->process.run();
    else if (!time_.run_due())
      return;
    watch();
  }
}

void simulation::violation(const std::string& what) {
  if (violations_.size() < 10)
    violations_.push_back(
      std::to_string(
        std::chrono::duration_cast<std::chrono::milliseconds>(now()).count())
      + " ms: " + what);
}

void simulation::watch() {
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    const node* first = nullptr;
    for (auto& [id, x] : nodes_) {
      if (!x->serves(shard))
        continue;
      if (first)
        violation("shard " + std::to_string(shard) + " is served by "
                  + first->id + " and " + id);
      first = x.get();
    }
  }
}

bool simulation::is_away(const node& x) const {
  return store_is_away_ || x.store_is_away;
}

template <class T>
void simulation::ask(node& from,
                     std::function<void(std::function<void(T)>)> what,
                     std::function<void(T)> done, T failure) {
  if (from.process.is_dead())
    return;
  ++requests_;
  auto fail = [=, this, &from] {
    after(between(store_timeout / 2, store_timeout),
          [=, &from] { from.process.receive([=] { done(failure); }); });
  };
  auto way = chance(faults.slow) ? between(0s, 1s) : between(100us, 4ms);
  if (is_away(from) || chance(faults.lost))
    return fail();
  if (chance(faults.late)) {
    after(between(store_timeout / 2, 10s), [=] { what([](T) {}); });
    return fail();
  }
  if (chance(faults.untold)) {
    after(way, [=] { what([](T) {}); });
    return fail();
  }
  after(way, [=, this, &from] {
    what([&](T x) {
      after(way, [=, &from, x = std::move(x)] {
        from.process.receive([=] { done(x); });
      });
    });
  });
}

void simulation::watch_claim(const std::optional<shard_ownership>& owned,
                             const entity_id& entity, fencing_token token) {
  if (!owned || !shard_table_->if_owned(*owned, [] {})) {
    violation("a claim of " + entity.key + " was done on grounds of the past");
    return;
  }
  auto& x = claims_[entity];
  x.epochs[{token.high, token.low}] = owned->epoch;
  x.newest = std::max(x.newest, owned->epoch);
}

void simulation::watch_commit(const entity_id& entity, fencing_token token) {
  auto& x = claims_[entity];
  auto i = x.epochs.find({token.high, token.low});
  if (i == x.epochs.end() || i->second < x.newest)
    violation("a commit of " + entity.key + " was done under an older claim");
}

// -- nodes -------------------------------------------------------------------

simulation::node& simulation::find(const std::string& id) {
  return *nodes_.at(id);
}

void simulation::start(const std::string& id, uint32_t capacity,
                       uint32_t wire_version) {
  auto drift =
    options_.drift_max * (static_cast<double>(random_() % 2001) / 1000 - 1);
  lease_row self;
  self.node = id;
  self.capacity = capacity;
  self.wire_version = wire_version;
  nodes_[id] = std::make_unique<node>(*this, id, std::move(self), 1 + drift);
}

void simulation::start_namesake(const std::string& name,
                                const std::string& id) {
  lease_row self;
  self.node = id;
  self.wire_version = wire::version;
  nodes_[name] = std::make_unique<node>(*this, name, std::move(self), 1);
}

std::string simulation::refusal(const std::string& id) {
  return find(id).refusal;
}

const std::vector<std::string>& simulation::turned_away(const std::string& id) {
  return find(id).turned_away;
}

void simulation::kill(const std::string& id) {
  auto x = nodes_.extract(id);
  if (x.empty())
    return;
  x.mapped()->process.die();
  lease_table_.process_ended(x.mapped()->state.views.load()->self);
  graves_.push_back(std::move(x.mapped()));
}

void simulation::pause(const std::string& id) {
  find(id).process.pause();
}

void simulation::sleep(const std::string& id) {
  find(id).process.sleep();
}

void simulation::wake(const std::string& id) {
  if (is_alive(id))
    find(id).process.wake(chance(500));
}

void simulation::drain(const std::string& id) {
  auto& x = find(id);
  x.process.receive([this, &x] {
    x.drain([this, &x] { after(1ms, [this, &x] { kill(x.id); }); });
  });
}

bool simulation::is_alive(const std::string& id) const {
  return nodes_.contains(id);
}

std::vector<std::string> simulation::alive() const {
  std::vector<std::string> result;
  for (auto& [id, x] : nodes_)
    result.push_back(id);
  return result;
}

cluster_state& simulation::state(const std::string& id) {
  return find(id).state;
}

void simulation::store_away(const std::string& id, bool is_away) {
  if (is_alive(id))
    find(id).store_is_away = is_away;
}

std::string simulation::unrest() {
  std::vector<ring_node> members;
  for (auto& [id, x] : nodes_) {
    auto view = x->state.views.load();
    auto own = view->own();
    if (!own || own->state != node_state::up)
      return id + " is not up";
    members.push_back({id, own->capacity, {}});
  }
  hash_ring ring{members};
  auto wanted = place_shards(ring, options_.shards);
  for (auto& [id, x] : nodes_) {
    auto view = x->state.views.load();
    if (view->nodes.size() != nodes_.size())
      return id + " sees " + std::to_string(view->nodes.size()) + " nodes";
    for (uint32_t i = 0; i < options_.shards; ++i) {
      auto owner = view->owner(i);
      auto& place = ring.nodes()[wanted[i]].name;
      if (!owner || owner->node != place)
        return id + " sees shard " + std::to_string(i) + " at "
               + (owner ? owner->node : "nobody") + ", not at " + place;
      auto serves = place == id;
      if (serves != (x->state.owned.epoch(i) != 0))
        return id + (serves ? " does not serve shard " : " serves shard ")
               + std::to_string(i);
    }
    if (!x->state.lease.valid())
      return id + " has no lease";
  }
  return {};
}

std::map<std::string, uint32_t> simulation::shards() {
  std::map<std::string, uint32_t> result;
  for (auto& [id, x] : nodes_)
    for (uint32_t i = 0; i < options_.shards; ++i)
      result[id] += x->state.owned.epoch(i) != 0;
  return result;
}

} // namespace troupe::testing
