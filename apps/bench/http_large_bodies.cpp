// 6 MB in, the same 6 MB out. The client drops what it receives unread, so that
// the server's copies count and not the client's.

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

constexpr size_t body_bytes = 6'000'000;

} // namespace

void http_large_bodies(const settings& how) {
  auto cores = two_cores();
  echo_server beast{"bare_beast_echo", cores.server};
  echo_server restinio{"bare_restinio_echo", cores.server};
  node_server node{cores.server};
  pinned client{cores.client};
  auto request = post("/invoke/echo", std::string(body_bytes, 'x'),
                      "Content-Type: application/octet-stream\r\n");
  auto rate = [&](const http_server& server, std::chrono::milliseconds time) {
    auto result = run_load(server.port(), {{request, 3}}, time).front();
    if (result.broken > 0 || result.answers() != result.latencies_us.size())
      throw cannot_measure{"calls failed: " + describe_answers(result)};
    return result.rate();
  };
  for (const http_server* x : {&beast, &restinio})
    rate(*x, how.time(std::chrono::milliseconds{500}));
  rate(node, how.time(std::chrono::milliseconds{500}));
  auto time = how.time(std::chrono::milliseconds{2500});
  std::vector<round_pair> against_beast;
  std::vector<round_pair> against_restinio;
  for (unsigned i = 0; i < how.rounds; ++i) {
    auto first = rate(beast, time);
    auto second = rate(restinio, time);
    auto ours = rate(node, time);
    against_beast.push_back({first, ours});
    against_restinio.push_back({second, ours});
  }
  auto report = [&](const char* baseline, std::vector<round_pair> rounds) {
    how.report(from_rounds("HTTP echo 6 MB, 3 connections", "requests/s",
                           baseline, at_least(0.8), std::move(rounds)));
  };
  report("Beast", std::move(against_beast));
  report("RESTinio", std::move(against_restinio));
}

} // namespace troupe::bench
