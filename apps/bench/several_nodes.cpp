// What more nodes on one machine are worth: clusters of one to four, each called
// at all of its nodes by as many clients. A function runs where the call came. A
// key of a service has one node, to which the others send the call. The baseline
// is the cluster of one. Beside each figure: what a call took of the processor,
// and what kept the calls from being more.

#include <algorithm>
#include <array>
#include <cstdio>
#include <future>
#include <memory>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/machine_use.hpp"
#include "apps/bench/node_group.hpp"
#include "apps/bench/postgres.hpp"
#include "apps/bench/temporary.hpp"
#include "apps/bench/wrk.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

constexpr size_t nodes_most = 4;

/// Of all nodes together; of three, one less.
constexpr unsigned clients = 64;

struct outcome {
  double rate = 0;
  machine_use use;

  double micros_of(double part) const {
    return use.core_seconds(part) * 1e6 / (rate * use.seconds);
  }
};

/// Each node has a load generator of its own.
double rate_of(const node_group& group, const wrk_load& load) {
  std::vector<std::future<wrk_result>> results;
  for (size_t i = 0; i < group.size(); ++i) {
    auto part = load;
    part.port = group[i].port();
    part.connections = clients / static_cast<unsigned>(group.size());
    part.core = -1;
    results.push_back(std::async(std::launch::async, run_wrk, part));
  }
  double result = 0;
  for (auto& x : results)
    result += x.get().requests_per_second;
  return result;
}

/// All of them live; one after the other is called.
class clusters {
public:
  /// @param store where the cluster of so many nodes keeps its state
  /// @param folder on the disk where that is in the end
  /// @param store_server 0: the nodes keep it themselves
  clusters(const std::function<std::string(size_t nodes)>& store,
           std::filesystem::path folder, pid_t store_server = 0)
    : folder_(std::move(folder)), store_server_(store_server) {
    for (size_t i = 0; i < nodes_most; ++i)
      groups_.push_back(std::make_unique<node_group>(i + 1, store(i + 1)));
    for (auto& x : groups_)
      x->settle();
  }

  void measure(const settings& how, const std::string& what, wrk_load load) {
    load.time = how.time(milliseconds{1000});
    for (auto& x : groups_)
      rate_of(*x, load);
    load.time = how.time(milliseconds{3000});
    std::array<std::vector<outcome>, nodes_most> rounds;
    for (unsigned i = 0; i < how.rounds; ++i)
      for (size_t j = 0; j < nodes_most; ++j)
        rounds[j].push_back(once(*groups_[j], load));
    for (size_t i = 0; i < nodes_most; ++i)
      how.report(figure_of(what, i + 1, rounds[0], rounds[i]));
  }

private:
  outcome once(const node_group& group, const wrk_load& load) const {
    machine_meter meter{group.processes(), folder_, store_server_};
    outcome result;
    result.rate = rate_of(group, load);
    result.use = meter.used();
    return result;
  }

  static figure figure_of(const std::string& what, size_t nodes,
                          const std::vector<outcome>& one,
                          const std::vector<outcome>& ours) {
    std::vector<round_pair> rounds;
    std::vector<double> of_nodes;
    std::vector<double> of_clients;
    for (size_t i = 0; i < ours.size(); ++i) {
      rounds.push_back({one[i].rate, ours[i].rate});
      of_nodes.push_back(ours[i].micros_of(ours[i].use.nodes));
      of_clients.push_back(ours[i].micros_of(ours[i].use.clients));
    }
    auto result = from_rounds(what + ", " + std::to_string(nodes)
                                + (nodes == 1 ? " node" : " nodes"),
                              "calls/s", "one node", {}, std::move(rounds));
    char text[96];
    std::snprintf(text, sizeof(text),
                  "CPU for one call: nodes %.1f us, load generator %.1f us; ",
                  median(std::move(of_nodes)), median(std::move(of_clients)));
    result.note = text + bound_of(middle(ours).use);
    return result;
  }

  /// The round whose rate is the median, or next to it.
  static outcome middle(std::vector<outcome> x) {
    auto at = x.begin() + static_cast<ptrdiff_t>(x.size() / 2);
    std::nth_element(x.begin(), at, x.end(),
                     [](auto& a, auto& b) { return a.rate < b.rate; });
    return *at;
  }

  std::filesystem::path folder_;
  pid_t store_server_;
  std::vector<std::unique_ptr<node_group>> groups_;
};

wrk_load increments() {
  wrk_load result;
  result.target = "/services/counter/*/increment";
  result.body = "1";
  result.content_type = "application/json";
  result.keys = 1'000;
  return result;
}

} // namespace

void several_nodes(const settings& how) {
  temporary_folder folder;
  auto store = [&](size_t nodes) {
    auto part = folder.path() / std::to_string(nodes);
    std::filesystem::create_directory(part);
    return "sqlite:" + part.string();
  };
  clusters all{store, folder.path()};
  all.measure(how, "echo at each", {});
  all.measure(how, "1,000 keys, SQLite", increments());
}

void several_nodes_postgres(const settings& how) {
  if (!postgres_bench_server::is_installed()) {
    std::printf("nodes-pg: skipped: PostgreSQL 15 is not installed\n");
    return;
  }
  postgres_bench_server server;
  auto store = [&](size_t nodes) {
    auto name = "nodes_" + std::to_string(nodes);
    server.make_database(name);
    return server.url(name);
  };
  clusters all{store, std::filesystem::temp_directory_path(), server.id()};
  all.measure(how, "1,000 keys, PostgreSQL", increments());
}

} // namespace troupe::bench
