// What a node holds that served a few calls and has nothing to do.

#include <thread>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/http_servers.hpp"
#include "apps/bench/load.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

namespace {

constexpr double megabyte = 1024 * 1024;

} // namespace

void idle_memory(const settings& how) {
  temporary_folder data;
  node_server node{-1, {}, "sqlite:" + data.path().string()};
  auto results = run_load(node.port(),
                          {{post("/invoke/add", "[2,3]"), 2, 50},
                           {post("/invoke/echo", "x"), 2, 50},
                           {post("/services/counter/a/increment", "1"), 1, 50}},
                          std::chrono::milliseconds{500});
  for (auto& x : results)
    if (x.latencies_us.empty())
      throw cannot_measure{"a call failed"};
  std::this_thread::sleep_for(how.time(std::chrono::milliseconds{3000}));
  auto memory = memory_of(node.id());
  figure result;
  result.name = "memory of an idle node";
  result.unit = "MB PSS";
  result.ours = static_cast<double>(memory.pss) / megabyte;
  result.required = at_most(16);
  char text[80];
  std::snprintf(text, sizeof(text),
                "were nothing shared: %.1f MB; not of files: %.1f MB",
                static_cast<double>(memory.rss) / megabyte,
                static_cast<double>(memory.anonymous) / megabyte);
  result.note = text;
  how.report(std::move(result));
}

} // namespace troupe::bench
