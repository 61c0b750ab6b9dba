#include "apps/bench/cluster_sim/sim_cluster.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "actors/model/placement.hpp"

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

/// Whether all is at rest is asked so often, but not while things still change.
constexpr sim_cluster::duration step = 50ms;
constexpr sim_cluster::duration quiet_time = 500ms;

/// It is to stay so: longer than shards wait before they move for balance.
constexpr sim_cluster::duration stay_time = 3s;

/// A cluster that did not come to rest by then never does.
constexpr sim_cluster::duration patience = 600s;

/// Nodes do not start all in one moment.
constexpr sim_cluster::duration start_time = 1s;

/// From the end of a process until its peers hear of it.
constexpr way_length link_loss{200us, 2ms};

/// A good quartz.
constexpr double drift_max = 50e-6;

} // namespace

sim_cluster::sim_cluster(sim_options options) {
  for (uint32_t i = 0; i < options.shards; ++i)
    table_.push_back({i, {}, 0});
  world_.random.seed(options.seed);
  world_.shards = options.shards;
  world_.proof_of_death = options.proof_of_death;
  world_.store.on_move = [this](const shard_row& row) { moved(row); };
  world_.nudge = [this](const std::string& incarnation) {
    world_.time.after(link_loss.draw(world_.random), [=, this] {
      auto i = numbers_by_incarnation_.find(incarnation);
      if (i != numbers_by_incarnation_.end() && nodes_.contains(i->second))
        nodes_.at(i->second).node->nudge();
    });
  };
}

sim_cluster::~sim_cluster() {
  for (auto& [number, x] : nodes_)
    x.node->die();
  world_.time.clear(); // what goes to the store is on behalf of a node
  nodes_.clear();
  graves_.clear();
  world_.time.clear();
}

// -- what happens --------------------------------------------------------------

sim_change sim_cluster::start(uint32_t count) {
  begin_change(alive() + count);
  if (nodes_.empty())
    for (uint32_t i = 0; i < world_.shards; ++i)
      unserved_.insert(i);
  std::set<uint32_t> newcomers;
  for (uint32_t i = 0; i < count; ++i) {
    auto number = numbers_;
    if (killed_.empty()) {
      ++numbers_;
    } else {
      number = killed_.back();
      killed_.pop_back();
    }
    newcomers.insert(number);
    world_.time.after(
      duration{static_cast<int64_t>(
        world_.random() % static_cast<uint64_t>(duration{start_time}.count()))},
      [this, number] { start_one(number); });
  }
  advance(start_time);
  update_wanted();
  auto ideal = std::count_if(wanted_.begin(), wanted_.end(), [&](auto& x) {
    return newcomers.contains(numbers_by_incarnation_.at(x));
  });
  return finish_change(static_cast<uint64_t>(ideal));
}

void sim_cluster::start_one(uint32_t number) {
  auto uniform = static_cast<double>(world_.random() % 2'000'001) / 1e6 - 1;
  auto& x = nodes_[number];
  x.node = std::make_unique<sim_node>(world_, number, 1 + uniform * drift_max);
  x.node->start();
  numbers_by_incarnation_[x.node->incarnation()] = number;
  x.node->on_run = [this, number] { observe(number); };
  observe(number);
}

sim_change sim_cluster::kill(uint32_t count) {
  begin_change(alive() - count);
  uint64_t ideal = 0;
  for (uint32_t i = 0; i < count; ++i) {
    auto victim = std::next(nodes_.begin(),
                            static_cast<int64_t>(world_.random() % alive()));
    auto& node = victim->second.node;
    for (auto& x : table_)
      if (x.owner == node->incarnation()) {
        unserved_.insert(x.shard);
        ++ideal;
      }
    node->die();
    killed_.push_back(victim->first);
    graves_.push_back(std::move(node));
    nodes_.erase(victim);
  }
  if (world_.proof_of_death)
    for (auto& [number, x] : nodes_)
      for (uint32_t i = 0; i < count; ++i)
        world_.time.after(link_loss.draw(world_.random),
                          [to = x.node.get()] { to->lose_link(); });
  return finish_change(ideal);
}

sim_calm sim_cluster::watch(duration d) {
  sim_calm result{d, world_.store.use, world_.store.moved, world_.cpu};
  advance(d);
  result.use = world_.store.use - result.use;
  result.moved = world_.store.moved - result.moved;
  result.cpu = world_.cpu - result.cpu;
  return result;
}

void sim_cluster::wait_a_little() {
  advance(way_length{0s, 1s}.draw(world_.random));
}

void sim_cluster::advance(duration d) {
  auto& time = world_.time;
  auto end = time.now() + d;
  while (time.next() && *time.next() <= end) {
    time.go_to(*time.next());
    time.run_due();
  }
  time.go_to(end);
}

// -- what is seen --------------------------------------------------------------

void sim_cluster::begin_change(uint32_t expected) {
  begin_ = world_.time.now();
  before_ = count();
  expected_ = expected;
  unserved_.clear();
  seen_ = served_ = last_change_ = begin_;
  knowing_ = 0;
  for (auto& [number, x] : nodes_)
    x.knows = false;
}

sim_cluster::counts sim_cluster::count() const {
  return {world_.store.use, world_.store.moved, world_.store.refused};
}

sim_change sim_cluster::finish_change(uint64_t ideal) {
  sim_change result;
  result.ideal = ideal;
  update_wanted();
  for (auto& [number, x] : nodes_)
    look(x);
  auto window = before_.use;
  for (int steps = 1; world_.time.now() - begin_ < patience; ++steps) {
    advance(step);
    if (steps % (sim_change::window / step) == 0) {
      auto in_window =
        world_.store.use - std::exchange(window, world_.store.use);
      result.operations_most =
        std::max(result.operations_most, in_window.operations());
      result.bytes_most = std::max(result.bytes_most, in_window.bytes);
    }
    if (world_.time.now() - last_change_ >= quiet_time && is_settled())
      break;
  }
  auto after = count();
  result.time = world_.time.now() - begin_;
  result.use = after.use - before_.use;
  result.seen = seen_ - begin_;
  result.served = served_ - begin_;
  result.rest = last_change_ - begin_;
  result.moved = after.moved - before_.moved;
  result.refused = after.refused - before_.refused;
  result.at_rest = is_settled() && watch(stay_time).moved == 0 && is_settled();
  return result;
}

bool sim_cluster::knows_all(const cluster_view& view) const {
  return view.nodes.size() == expected_
         && std::all_of(view.nodes.begin(), view.nodes.end(),
                        [](auto& x) { return x.state == node_state::up; });
}

void sim_cluster::observe(uint32_t number) {
  auto& x = nodes_.at(number);
  if (!unserved_.empty()) {
    std::erase_if(unserved_, [&](uint32_t shard) {
      return table_[shard].owner == x.node->incarnation()
             && x.node->serves(shard);
    });
    if (unserved_.empty())
      served_ = world_.time.now();
  }
  auto version = x.node->state().views.version();
  if (std::exchange(x.version, version) != version) {
    last_change_ = world_.time.now();
    look(x);
  }
}

void sim_cluster::look(member& x) {
  auto knows = knows_all(*x.node->state().views.load());
  if (knows == std::exchange(x.knows, knows))
    return;
  if (!knows) {
    --knowing_;
  } else if (++knowing_ == expected_) {
    seen_ = world_.time.now();
  }
}

void sim_cluster::moved(const shard_row& row) {
  table_[row.shard] = row;
  last_change_ = world_.time.now();
}

void sim_cluster::update_wanted() {
  std::map<std::string, std::string> incarnations;
  std::vector<ring_node> members;
  for (auto& [number, x] : nodes_) {
    auto name = "node-" + std::to_string(number);
    incarnations[name] = x.node->incarnation();
    members.push_back({name, 1, {}});
  }
  hash_ring ring{std::move(members)};
  wanted_.clear();
  for (auto x : place_shards(ring, world_.shards))
    wanted_.push_back(incarnations.at(ring.nodes()[x].name));
}

bool sim_cluster::is_settled() const {
  if (knowing_ != expected_ || !unserved_.empty())
    return false;
  auto first = nodes_.begin()->second.node->state().views.load();
  for (uint32_t i = 0; i < world_.shards; ++i) {
    auto owner = first->owner(i);
    if (table_[i].owner != wanted_[i] || !owner
        || owner->incarnation != wanted_[i]
        || first->shards[i].epoch != table_[i].epoch)
      return false;
  }
  return std::all_of(nodes_.begin(), nodes_.end(), [&](auto& x) {
    auto& state = x.second.node->state();
    auto view = state.views.load();
    return view->nodes == first->nodes && view->shards == first->shards
           && state.lease.valid();
  });
}

uint32_t sim_cluster::shards_without_owner() const {
  auto result = 0u;
  for (auto& x : table_) {
    auto i = numbers_by_incarnation_.find(x.owner);
    result += i == numbers_by_incarnation_.end() || !nodes_.contains(i->second)
              || nodes_.at(i->second).node->incarnation() != x.owner
              || !nodes_.at(i->second).node->serves(x.shard);
  }
  return result;
}

sim_load sim_cluster::load() const {
  std::map<std::string, uint32_t> counts;
  for (auto& x : table_)
    ++counts[x.owner];
  sim_load result;
  result.mean = static_cast<double>(world_.shards) / alive();
  for (auto& [number, x] : nodes_) {
    auto i = counts.find(x.node->incarnation());
    auto count = i == counts.end() ? 0 : i->second;
    result.most = std::max(result.most, count);
    result.nodes_without += count == 0;
  }
  return result;
}

} // namespace troupe::bench
