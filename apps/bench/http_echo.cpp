// Small bodies over HTTP, the server on one core, the clients on another one.

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/wrk.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

/// What one server did in all rounds.
struct served {
  std::vector<double> values;
  double cpu_us = 0;
};

/// Requests, and what one of them costs the server's processor.
struct measured {
  wrk_result wrk;
  double cpu_us = 0;
};

measured measure(const http_server& server, unsigned connections,
                 milliseconds time) {
  auto before = cpu_seconds_of(server.id());
  measured result;
  result.wrk = run_wrk({server.port(), connections, time, two_cores().client});
  auto spent = cpu_seconds_of(server.id()) - before;
  auto seconds =
      std::chrono::duration<double>(std::max(time, milliseconds{1000})).count();
  result.cpu_us = spent * 1e6 / (result.wrk.requests_per_second * seconds);
  return result;
}

std::string cpu_note(double ours, double bare) {
  char text[80];
  std::snprintf(text, sizeof(text),
                "server CPU for one: %.1f us, baseline %.1f us", ours, bare);
  return text;
}

} // namespace

void http_echo(const settings& how) {
  auto core = two_cores().server;
  echo_server beast{"bare_beast_echo", core};
  echo_server restinio{"bare_restinio_echo", core};
  node_server node{core};
  const http_server* all[] = {&beast, &restinio, &node};
  served results[3];
  for (auto server : all)
    measure(*server, 64, milliseconds{1000});
  for (unsigned round = 0; round < how.rounds; ++round)
    for (size_t i = 0; i < 3; ++i) {
      auto x = measure(*all[i], 64, how.time(milliseconds{3000}));
      results[i].values.push_back(x.wrk.requests_per_second);
      results[i].cpu_us += x.cpu_us / how.rounds;
    }
  auto& ours = results[2];
  auto against = [&](const served& bare, std::string name,
                     requirement required) {
    std::vector<round_pair> rounds;
    for (size_t i = 0; i < how.rounds; ++i)
      rounds.push_back({bare.values[i], ours.values[i]});
    auto result = from_rounds("HTTP echo 128 B, 64 connections", "requests/s",
                              std::move(name), required, std::move(rounds));
    result.note = cpu_note(ours.cpu_us, bare.cpu_us);
    how.report(std::move(result));
  };
  against(results[0], "Beast", at_least(0.85));
  against(results[1], "RESTinio", at_least(0.8));
}

void http_latency(const settings& how) {
  auto core = two_cores().server;
  echo_server beast{"bare_beast_echo", core};
  node_server node{core};
  measure(beast, 10, milliseconds{1000});
  measure(node, 10, milliseconds{1000});
  double cpu_bare = 0;
  double cpu_ours = 0;
  auto p50 = [&](const http_server& server, double& cpu) {
    auto x = measure(server, 10, how.time(milliseconds{3000}));
    cpu += x.cpu_us / how.rounds;
    return x.wrk.p50_us;
  };
  auto rounds = alternate(
      how, [&] { return p50(beast, cpu_bare); },
      [&] { return p50(node, cpu_ours); });
  auto result = from_rounds("HTTP echo p50, 10 connections", "us", "Beast",
                            at_most(1.3), std::move(rounds));
  result.note = cpu_note(cpu_ours, cpu_bare);
  how.report(std::move(result));
}

} // namespace troupe::bench
