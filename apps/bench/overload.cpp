// Ten times more calls than a function can serve: what is refused, what the
// accepted ones get, and what the node holds on to.

#include <algorithm>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

constexpr int handler_ms = 20;
constexpr int concurrency = 4;
constexpr int deadline_ms = 1000;
constexpr double capacity = concurrency * 1000.0 / handler_ms;
constexpr double offered = 10 * capacity;

figure plain(std::string name, std::string unit, double value,
             requirement required) {
  figure result;
  result.name = "overload: " + std::move(name);
  result.unit = std::move(unit);
  result.ours = value;
  result.required = required;
  return result;
}

void report_answers(const settings& how, const load_result& x) {
  char text[160];
  auto refused_count = x.answers() - x.latencies_us.size() + x.broken;
  auto refused =
    plain("refused with 429, Retry-After", "%",
          100 * static_cast<double>(x.with_retry_after)
            / static_cast<double>(std::max<uint64_t>(refused_count, 1)),
          at_least(100));
  std::snprintf(text, sizeof(text),
                "offered %.0f/s, capacity %.0f/s; %.0f s: %s", offered,
                capacity, x.seconds, describe_answers(x).c_str());
  refused.note = text;
  how.report(std::move(refused));
  auto served = plain("served, of what it can do", "%",
                      100 * x.rate() / capacity, at_least(80));
  how.report(std::move(served));
  auto slowest = plain("slowest accepted call", "ms", x.percentile(100) / 1000,
                       at_most(deadline_ms));
  std::snprintf(text, sizeof(text), "p50 %.0f ms, p99 %.0f ms; deadline %d ms",
                x.percentile(50) / 1000, x.percentile(99) / 1000, deadline_ms);
  slowest.note = text;
  how.report(std::move(slowest));
}

} // namespace

void overload(const settings& how) {
  auto cores = two_cores();
  node_server node{cores.server, {"--limit", "sleep=concurrency:4,queue:8"}};
  pinned client{cores.client};
  auto request =
    post("/invoke/sleep", std::to_string(handler_ms),
         "Troupe-Timeout-Ms: " + std::to_string(deadline_ms) + "\r\n");
  std::vector<load_group> groups{{request, 128, offered}};
  // Memory grows to what this load needs, and then no more.
  run_load(node.port(), groups, how.time(milliseconds{2000}));
  auto before = memory_of(node.id()).rss;
  auto result =
    run_load(node.port(), groups, how.time(milliseconds{6000})).front();
  auto after = memory_of(node.id()).rss;
  report_answers(how, result);
  auto growth = plain("growth of RSS", "MB",
                      (static_cast<double>(after) - static_cast<double>(before))
                        / (1 << 20),
                      at_most(1));
  char text[80];
  std::snprintf(text, sizeof(text), "%.1f MB before, %.1f MB after",
                static_cast<double>(before) / (1 << 20),
                static_cast<double>(after) / (1 << 20));
  growth.note = text;
  how.report(std::move(growth));
}

} // namespace troupe::bench
