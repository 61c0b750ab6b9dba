// What the neighbours of a broken function notice. `add` is called at a steady
// pace: alone; beside as many calls of a healthy function; beside a function
// that throws at every call; beside an exposed actor that dies at every
// message.

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

constexpr double neighbour_rate = 500;
constexpr double broken_rate = 2000;

struct neighbourhood {
  /// p99 of `add`.
  double p99_us = 0;
  load_result other;
};

std::string statuses(const load_result& x) {
  std::string result;
  for (auto& [status, count] : x.answers_by_status)
    result += (result.empty() ? "" : ", ") + std::to_string(count) + " x "
              + std::to_string(status);
  return result;
}

} // namespace

void isolation(const settings& how) {
  auto cores = two_cores();
  node_server node{
      cores.server,
      {"--plugin", build_folder() / "lib" / "troupe_bench_dying.so"}};
  pinned client{cores.client};
  load_group add{post("/invoke/add", "[2,3]"), 4, neighbour_rate};
  load_group healthy{post("/invoke/echo", "x"), 8, broken_rate};
  load_group thrower{post("/invoke/fail", "\"x\""), 8, broken_rate};
  load_group dying{post("/invoke/dying", "1"), 8, broken_rate};
  auto time = how.time(std::chrono::milliseconds{2000});
  auto beside = [&](const load_group* other) {
    std::vector<load_group> groups{add};
    if (other)
      groups.push_back(*other);
    auto results = run_load(node.port(), groups, time);
    if (results[0].broken > 0
        || results[0].answers() != results[0].latencies_us.size())
      throw cannot_measure{"a call of the neighbour failed"};
    return neighbourhood{results[0].percentile(99), results.back()};
  };
  auto compare = [&](const std::string& name, const std::string& baseline,
                     const load_group* before, const load_group& during) {
    std::string answers;
    auto rounds = alternate(
        how, [&] { return beside(before).p99_us; },
        [&] {
          auto x = beside(&during);
          answers = statuses(x.other);
          return x.p99_us;
        });
    auto result = from_rounds("p99 of add beside " + name, "us", baseline,
                              at_most(2), std::move(rounds));
    result.note = "the other's answers in the last round: " + answers;
    how.report(std::move(result));
  };
  compare("healthy calls", "alone", nullptr, healthy);
  compare("a function that throws", "healthy calls", &healthy, thrower);
  compare("an actor that dies", "healthy calls", &healthy, dying);
}

} // namespace troupe::bench
