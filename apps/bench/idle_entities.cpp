// A million entities that were called once and sleep: what each of them holds,
// beside a bare CAF actor that was started, what other calls notice of them, and
// what is left of them once they are passivated.

#include <algorithm>
#include <thread>

#include <malloc.h>
#include <unistd.h>

#include <caf/actor_registry.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/entity_load.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/temporary.hpp"
#include "nodes/store/sqlite_store.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto idle_time = std::chrono::seconds{40};

size_t memory_now() {
  ::malloc_trim(0);
  return memory_of(::getpid()).anonymous;
}

double each(size_t before, size_t after, size_t count) {
  return (static_cast<double>(after) - static_cast<double>(before))
         / static_cast<double>(count);
}

caf::behavior bare(caf::event_based_actor*) {
  return {[](int x) { return x; }};
}

double bytes_of_bare_actors(caf::actor_system& sys, size_t count) {
  auto before = memory_now();
  std::vector<caf::actor> actors;
  actors.reserve(count);
  caf::scoped_actor self{sys};
  for (size_t i = 0; i < count; ++i)
    actors.push_back(sys.spawn(bare));
  self->request(actors.back(), std::chrono::seconds{10}, 1)
    .receive([](int) {}, [](caf::error&) {});
  std::this_thread::sleep_for(std::chrono::seconds{1}); // the last ones start
  auto result = each(before + count * sizeof(caf::actor), memory_now(), count);
  for (auto& x : actors)
    caf::anon_send_exit(x, caf::exit_reason::kill);
  actors.clear();
  std::this_thread::sleep_for(std::chrono::seconds{2});
  return result;
}

/// p99 of calls of one entity, in us.
double p99_of_reads(local_node& node, milliseconds time) {
  std::vector<double> all;
  auto end = clock::now() + time;
  while (clock::now() < end) {
    entity_load load;
    load.callers = 1;
    load.calls = 1;
    load.method = "get";
    load.arguments = {};
    load.key = [](uint64_t) { return std::string{"beside"}; };
    all.push_back(1e6 * run_entity_load(node, load).seconds);
  }
  std::sort(all.begin(), all.end());
  return all[all.size() * 99 / 100];
}

figure plain(std::string name, std::string unit, double value) {
  figure result;
  result.name = std::move(name);
  result.unit = std::move(unit);
  result.ours = value;
  return result;
}

} // namespace

void idle_entities(const settings& how) {
  auto count = size_t{1'000'000} / how.hurry;
  temporary_folder folder;
  assembly_options options;
  options.service.idle_time = idle_time;
  options.service.budget =
    std::make_shared<activation_budget>(static_cast<uint32_t>(2 * count));
  local_node node{options, std::make_unique<sqlite_store>(folder.path())};
  auto bare_bytes = bytes_of_bare_actors(node.system(), count);
  auto p99_before = p99_of_reads(node, how.time(milliseconds{2000}));
  auto before = memory_now();
  entity_load load;
  load.method = "get";
  load.arguments = {};
  load.callers = 512;
  load.calls = count;
  load.key = [](uint64_t n) { return "entity-" + std::to_string(n); };
  auto made = run_entity_load(node, load);
  auto full = memory_now();
  auto bytes =
    from_rounds("memory of an idle entity", "bytes", "a started CAF actor",
                at_most(1.5), {{bare_bytes, each(before, full, count)}});
  char text[120];
  std::snprintf(text, sizeof text, "%zu of them, made in %.1f s", count,
                made.seconds);
  bytes.note = text;
  if (node.activations() < count)
    throw cannot_measure{"some were passivated before they could be counted"};
  how.report(std::move(bytes));
  auto p99 = from_rounds(
    "p99 of a call beside idle entities", "us", "before them", {},
    {{p99_before, p99_of_reads(node, how.time(milliseconds{2000}))}});
  how.report(std::move(p99));
  auto deadline = clock::now() + 4 * idle_time;
  while (node.activations() > 1 && clock::now() < deadline)
    std::this_thread::sleep_for(milliseconds{100});
  // They end, the store forgets them, the node gives their memory back.
  auto left = memory_of(::getpid()).anonymous;
  while (clock::now() < deadline) {
    std::this_thread::sleep_for(idle_time / 8);
    auto now = memory_of(::getpid()).anonymous;
    if (now + (1 << 20) >= left && node.system().registry().running() < 100)
      break;
    left = now;
  }
  auto given_back =
    plain("memory that passivation gives back", "%",
          100 * (static_cast<double>(full) - static_cast<double>(left))
            / (static_cast<double>(full) - static_cast<double>(before)));
  given_back.required = at_least(80);
  how.report(std::move(given_back));
}

} // namespace troupe::bench
