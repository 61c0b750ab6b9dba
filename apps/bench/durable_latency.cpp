// How long a durable call takes when there is room: at half of what the node can
// do, beside echoes at the same pace; and the first call of an entity, which
// must be claimed before, beside the next one.

#include <algorithm>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/entity_load.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/temporary.hpp"
#include "nodes/store/sqlite_store.hpp"

namespace troupe::bench {

namespace {

using std::chrono::milliseconds;

double percentile_of(const node_server& node, const std::string& request,
                     double pace, milliseconds time) {
  auto x = run_load(node.port(), {{request, 64, pace}}, time).front();
  if (x.broken > 0 || x.answers() != x.latencies_us.size())
    throw cannot_measure{"calls failed: " + describe_answers(x)};
  return x.percentile(99);
}

void at_half_load(const settings& how) {
  temporary_folder data;
  node_server node{two_cores().server, {}, "sqlite:" + data.path().string()};
  pinned client{two_cores().client};
  auto durable = post("/services/counter/hot/increment", "1");
  auto echo = post("/invoke/echo", "1");
  auto time = how.time(milliseconds{2000});
  auto most = run_load(node.port(), {{durable, 64, 0}}, time).front().rate();
  auto pace = most / 2;
  auto rounds = alternate(
    how, [&] { return percentile_of(node, echo, pace, time); },
    [&] { return percentile_of(node, durable, pace, time); });
  auto result = from_rounds("p99 of a durable call at half load", "us",
                            "echo at that pace", {}, std::move(rounds));
  char text[80];
  std::snprintf(text, sizeof text, "%.0f calls/s of %.0f", pace, most);
  result.note = text;
  how.report(std::move(result));
}

void first_call(const settings& how) {
  temporary_folder folder;
  local_node node{{}, std::make_unique<sqlite_store>(folder.path())};
  uint64_t fresh = 0;
  auto one_by_one = [&](bool known) {
    entity_load load;
    load.callers = 1;
    load.calls = 2000 / how.hurry;
    auto from = known ? fresh - load.calls : fresh;
    load.key = [from](uint64_t n) { return "k" + std::to_string(from + n); };
    auto x = run_entity_load(node, load);
    if (!known)
      fresh += load.calls;
    return 1e6 / x.rate();
  };
  std::vector<round_pair> rounds;
  for (unsigned i = 0; i < how.rounds; ++i) {
    auto first = one_by_one(false);
    rounds.push_back({one_by_one(true), first});
  }
  how.report(from_rounds("first durable call of a new entity", "us",
                         "its next one", {}, std::move(rounds)));
}

} // namespace

void durable_latency(const settings& how) {
  at_half_load(how);
  first_call(how);
}

} // namespace troupe::bench
