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
  node_server node{cores.server};
  pinned client{cores.client};
  auto request = post("/invoke/echo", std::string(body_bytes, 'x'),
                      "Content-Type: application/octet-stream\r\n");
  auto rate = [&](const http_server& server, std::chrono::milliseconds time) {
    auto result = run_load(server.port(), {{request, 3}}, time).front();
    if (result.broken > 0 || result.answers() != result.latencies_us.size())
      throw cannot_measure{"a call failed"};
    return result.rate();
  };
  rate(beast, how.time(std::chrono::milliseconds{1000}));
  rate(node, how.time(std::chrono::milliseconds{1000}));
  auto time = how.time(std::chrono::milliseconds{3000});
  auto rounds = alternate(
      how, [&] { return rate(beast, time); }, [&] { return rate(node, time); });
  how.report(from_rounds("HTTP echo 6 MB, 3 connections", "requests/s", "Beast",
                         at_least(0.8), std::move(rounds)));
}

} // namespace troupe::bench
