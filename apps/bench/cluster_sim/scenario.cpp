#include "apps/bench/cluster_sim/scenario.hpp"

#include <algorithm>
#include <utility>

#include "apps/bench/figure.hpp"

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds calm_time{5};

double seconds(std::chrono::nanoseconds x) {
  return std::chrono::duration<double>(x).count();
}

struct failure_run {
  sim_change death;
  sim_load load;
  sim_change comeback;
};

/// What one cluster went through.
struct cluster_run {
  sim_change start;
  sim_load load;
  sim_calm calm;
  std::vector<failure_run> failures;
};

class runner {
public:
  runner(const sim_plan& plan, uint32_t nodes, death_notice notice)
    : plan_(plan) {
    result_.nodes = nodes;
    result_.notice = notice;
    for (auto x : plan.failures)
      if (x < nodes)
        failures_.push_back(x);
  }

  cluster_figures run() {
    for (uint32_t i = 0; i < plan_.rounds; ++i)
      runs_.push_back(run_once(plan_.seed + i));
    summarize();
    return std::move(result_);
  }

private:
  cluster_run run_once(uint64_t seed) {
    auto by_proof = result_.notice == death_notice::proof;
    sim_cluster cluster{{seed, plan_.shards, by_proof}};
    cluster_run x;
    say(seed, "start");
    x.start = cluster.start(result_.nodes);
    check(seed, "start", x.start, cluster);
    x.load = cluster.load();
    x.calm = cluster.watch(calm_time);
    if (x.calm.moved > 0)
      fault(seed, "at rest", "shards move");
    for (auto dead : failures_)
      x.failures.push_back(fail(seed, dead, cluster));
    return x;
  }

  failure_run fail(uint64_t seed, uint32_t dead, sim_cluster& cluster) {
    auto what = std::to_string(dead) + " die";
    say(seed, what);
    cluster.wait_a_little();
    failure_run x;
    x.death = cluster.kill(dead);
    check(seed, what, x.death, cluster);
    x.load = cluster.load();
    what = std::to_string(dead) + " come back";
    say(seed, what);
    cluster.wait_a_little();
    x.comeback = cluster.start(dead);
    check(seed, what, x.comeback, cluster);
    return x;
  }

  void check(uint64_t seed, const std::string& what, const sim_change& x,
             const sim_cluster& cluster) {
    if (!x.at_rest)
      fault(seed, what, "it does not come to rest");
    if (auto lost = cluster.shards_without_owner(); lost > 0)
      fault(seed, what, std::to_string(lost) + " shards are not served");
    if (x.moved < x.ideal)
      fault(seed, what, "fewer shards were moved than had to be");
  }

  std::string describe(uint64_t seed, const std::string& what) const {
    return std::to_string(result_.nodes) + " nodes, by "
           + std::string{to_string(result_.notice)} + ", seed "
           + std::to_string(seed) + ", " + what;
  }

  void fault(uint64_t seed, const std::string& what, const std::string& why) {
    result_.faults.push_back(describe(seed, what) + ": " + why);
  }

  void say(uint64_t seed, const std::string& what) const {
    if (plan_.progress)
      plan_.progress(describe(seed, what));
  }

  // -- figures ---------------------------------------------------------------

  /// Of all rounds.
  template <class F>
  spread of_rounds(F value) const {
    std::vector<double> values;
    for (auto& x : runs_)
      values.push_back(value(x));
    return {median(values), *std::max_element(values.begin(), values.end())};
  }

  void summarize() {
    auto middle = [this](auto value) { return of_rounds(value).median; };
    auto nodes = result_.nodes;
    auto per_node = seconds(calm_time) * nodes;
    result_.start =
      figures(nodes, [](auto& x) -> const sim_change& { return x.start; });
    result_.operations = middle([&](auto& x) {
      return static_cast<double>(x.calm.use.operations()) / per_node;
    });
    result_.rows = middle(
      [&](auto& x) { return static_cast<double>(x.calm.use.rows) / per_node; });
    result_.bytes = middle([&](auto& x) {
      return static_cast<double>(x.calm.use.bytes) / per_node;
    });
    result_.cpu_share =
      middle([&](auto& x) { return seconds(x.calm.cpu) / per_node; });
    result_.imbalance = middle([](auto& x) { return x.load.imbalance(); });
    result_.nodes_without =
      middle([](auto& x) -> double { return x.load.nodes_without; });
    for (size_t i = 0; i < failures_.size(); ++i)
      result_.failures.push_back(failure(i));
  }

  failure_figures failure(size_t i) const {
    auto dead = failures_[i];
    failure_figures result;
    result.dead = dead;
    result.death =
      figures(result_.nodes - dead, [i](auto& x) -> const sim_change& {
        return x.failures[i].death;
      });
    result.comeback = figures(result_.nodes, [i](auto& x) -> const sim_change& {
      return x.failures[i].comeback;
    });
    result.imbalance =
      of_rounds([i](auto& x) { return x.failures[i].load.imbalance(); }).median;
    return result;
  }

  template <class F>
  change_figures figures(uint32_t nodes, F change) const {
    auto each = [&](auto value) {
      return of_rounds([&](auto& x) { return value(change(x)); });
    };
    auto middle = [&](auto value) { return each(value).median; };
    auto per_node = [nodes](const sim_change& x) {
      return seconds(x.time) * nodes;
    };
    change_figures result;
    result.seen = each([](auto& x) { return seconds(x.seen); });
    result.served = each([](auto& x) { return seconds(x.served); });
    result.rest = each([](auto& x) { return seconds(x.rest); });
    result.moved = middle([](auto& x) -> double { return x.moved; });
    result.ideal = middle([](auto& x) -> double { return x.ideal; });
    result.refused = middle([](auto& x) -> double { return x.refused; });
    result.declarations =
      middle([](auto& x) -> double { return x.use.declarations; });
    result.operations = middle(
      [&](auto& x) -> double { return x.use.operations() / per_node(x); });
    result.bytes =
      middle([&](auto& x) -> double { return x.use.bytes / per_node(x); });
    auto window = seconds(sim_change::window) * nodes;
    result.operations_most =
      middle([&](auto& x) -> double { return x.operations_most / window; });
    result.bytes_most =
      middle([&](auto& x) -> double { return x.bytes_most / window; });
    return result;
  }

  const sim_plan& plan_;
  std::vector<uint32_t> failures_;
  std::vector<cluster_run> runs_;
  cluster_figures result_;
};

} // namespace

std::string_view to_string(death_notice x) noexcept {
  switch (x) {
  case death_notice::lease:
    return "lease";
  case death_notice::proof:
    return "proof";
  }
  return "?";
}

std::vector<cluster_figures> simulate(const sim_plan& plan) {
  std::vector<cluster_figures> result;
  for (auto nodes : plan.nodes)
    for (auto notice : plan.notices)
      result.push_back(runner{plan, nodes, notice}.run());
  return result;
}

} // namespace troupe::bench
