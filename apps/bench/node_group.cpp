#include "apps/bench/node_group.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto patience = 60s;

/// Nodes move shards for balance when nothing has changed for two seconds.
constexpr auto stillness = 3s;

constexpr auto between_looks = 200ms;

/// What `troupe nodes` says there.
nlohmann::json nodes_seen_at(const http_server& node) {
  child_process command{{build_folder() / "bin" / "troupe", "nodes", "--json",
                         "--endpoint",
                         "http://127.0.0.1:" + std::to_string(node.port())},
                        -1};
  std::string output;
  if (command.finish(output) != 0)
    throw cannot_measure{"a node does not say who is in its cluster"};
  return nlohmann::json::parse(output);
}

} // namespace

node_group::node_group(size_t count, const std::string& store) {
  for (size_t i = 0; i < count; ++i)
    nodes_.push_back(std::make_unique<node_server>(
      -1,
      std::vector<std::string>{"--node.id", "n" + std::to_string(i),
                               "--cluster.listen", "127.0.0.1:0"},
      store));
}

std::vector<pid_t> node_group::processes() const {
  std::vector<pid_t> result;
  for (auto& x : nodes_)
    result.push_back(x->id());
  return result;
}

std::vector<uint32_t> node_group::shards() const {
  std::vector<uint32_t> result;
  for (auto& node : nodes_) {
    std::vector<uint32_t> seen;
    for (auto& x : nodes_seen_at(*node))
      if (x.at("state") == "up")
        seen.push_back(x.at("shards"));
    if (seen.size() != size() || (!result.empty() && seen != result))
      return {};
    result = std::move(seen);
  }
  return result;
}

void node_group::settle() const {
  auto end = clock::now() + patience;
  auto still_since = clock::now();
  std::vector<uint32_t> last;
  while (clock::now() < end) {
    auto found = shards();
    if (found.empty() || found != last)
      still_since = clock::now();
    else if (clock::now() - still_since > stillness)
      return;
    last = std::move(found);
    std::this_thread::sleep_for(between_looks);
  }
  throw cannot_measure{"the cluster does not come to rest"};
}

} // namespace troupe::bench
