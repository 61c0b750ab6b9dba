#include "apps/bench/local_node.hpp"

#include "apps/bench/benchmark.hpp"
#include "apps/bench/machine.hpp"
#include "nodes/plugin.hpp"
#include "nodes/store/memory_store.hpp"

namespace troupe::bench {

local_node::local_node() : local_node({}, std::make_unique<memory_store>()) {}

local_node::local_node(assembly_options options,
                       std::unique_ptr<state_store> store)
  : assembly_(std::move(options), std::move(store)) {
  auto plugin = load_plugin(build_folder() / "lib" / "troupe_examples.so");
  if (!plugin)
    throw cannot_measure{plugin.error().message()};
  if (auto done = assembly_.install("examples", plugin->content); !done)
    throw cannot_measure{done.error().message()};
}

uint32_t local_node::activations() const {
  return assembly_.routes()->services.at("counter").host->stats().instances;
}

} // namespace troupe::bench
