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
constexpr double other_rate = 2000;

class street {
public:
  explicit street(const settings& how)
    : how_(how), node_{two_cores().server,
                       {"--plugin",
                        build_folder() / "lib" / "troupe_bench_dying.so"}} {}

  /// p99 of `add` beside `before`, then beside `during`, in turn.
  void compare(const std::string& name, const std::string& baseline,
               const std::vector<load_group>& before,
               const std::vector<load_group>& during,
               std::optional<requirement> required) {
    load_result ignored;
    load_result all;
    auto rounds = alternate(
      how_, [&] { return p99_beside(before, ignored); },
      [&] { return p99_beside(during, all); });
    auto result = from_rounds("p99 of add beside " + name, "us", baseline,
                              required, std::move(rounds));
    result.note = "what they got: " + describe_answers(all);
    how_.report(std::move(result));
  }

private:
  /// @param all counts the answers of the others
  double p99_beside(const std::vector<load_group>& others, load_result& all) {
    std::vector<load_group> groups{
      {post("/invoke/add", "[2,3]"), 4, neighbour_rate}};
    groups.insert(groups.end(), others.begin(), others.end());
    auto time = how_.time(std::chrono::milliseconds{2000});
    auto results = run_load(node_.port(), groups, time);
    auto& add = results.front();
    if (add.broken > 0 || add.answers() != add.latencies_us.size())
      throw cannot_measure{"calls of the neighbour failed: "
                           + describe_answers(add)};
    if (!others.empty())
      for (auto& [status, count] : results.back().answers_by_status)
        all.answers_by_status[status] += count;
    if (all.answers_by_status.contains(404))
      throw cannot_measure{"the node does not serve what is to fail"};
    return add.percentile(99);
  }

  const settings& how_;
  node_server node_;
};

} // namespace

void isolation(const settings& how) {
  street here{how};
  pinned client{two_cores().client};
  auto calls = [](const char* name, const char* body) {
    return std::vector<load_group>{
      {post(std::string{"/invoke/"} + name, body), 8, other_rate}};
  };
  auto healthy = calls("echo", "x");
  here.compare("healthy calls", "alone", {}, healthy, {});
  here.compare("a function that throws", "healthy calls", healthy,
               calls("fail", "x"), at_most(2));
  here.compare("an actor that dies", "healthy calls", healthy,
               calls("dying", "1"), at_most(2));
}

} // namespace troupe::bench
