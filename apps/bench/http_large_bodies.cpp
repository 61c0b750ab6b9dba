// 6 MB in, the same 6 MB out. The client drops what it receives unread, so that
// the server's copies count and not the client's.

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_contest.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

constexpr size_t body_bytes = 6'000'000;

void check(const load_result& x) {
  if (x.broken > 0 || x.answers() == 0 || x.answers() != x.latencies_us.size())
    throw cannot_measure{"calls failed: " + describe_answers(x)};
}

} // namespace

void http_large_bodies(const settings& how) {
  http_contest contest;
  pinned client{two_cores().client};
  auto request = post("/invoke/echo", std::string(body_bytes, 'x'),
                      "Content-Type: application/octet-stream\r\n");
  contest.run(how, std::chrono::milliseconds{2500},
              [&](auto& server, auto time) {
                cpu_meter cpu{server};
                auto x = run_load(server.port(), {{request, 3}}, time).front();
                check(x);
                auto calls = static_cast<double>(x.answers());
                return http_outcome{x.rate(), cpu.spent_us() / calls};
              });
  auto name = "HTTP echo 6 MB, 3 connections";
  how.report(contest.against_beast(name, "requests/s", at_least(0.8)));
  how.report(contest.against_restinio(name, "requests/s", at_least(0.8)));
}

} // namespace troupe::bench
