// Small bodies over HTTP, the server on one core, the clients on another one.

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_contest.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/wrk.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

struct measured {
  wrk_result wrk;
  double cpu_us = 0;
};

measured measure(const http_server& server, unsigned connections,
                 milliseconds time) {
  cpu_meter cpu{server};
  auto wrk = run_wrk({server.port(), connections, time, two_cores().client});
  return {wrk, cpu.spent_us() / wrk.requests};
}

} // namespace

void http_echo(const settings& how) {
  http_contest contest;
  contest.run(how, milliseconds{3000}, [](auto& server, auto time) {
    auto x = measure(server, 64, time);
    return http_outcome{x.wrk.requests_per_second, x.cpu_us};
  });
  auto name = "HTTP echo 128 B, 64 connections";
  how.report(contest.against_beast(name, "requests/s", at_least(0.85)));
  how.report(contest.against_restinio(name, "requests/s", at_least(0.8)));
}

void http_latency(const settings& how) {
  http_contest contest;
  contest.run(how, milliseconds{2000}, [](auto& server, auto time) {
    auto x = measure(server, 10, time);
    return http_outcome{x.wrk.p50_us, x.cpu_us};
  });
  how.report(
    contest.against_beast("HTTP echo p50, 10 connections", "us", at_most(1.3)));
}

} // namespace troupe::bench
