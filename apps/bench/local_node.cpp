#include "apps/bench/local_node.hpp"

#include "apps/bench/benchmark.hpp"
#include "apps/bench/machine.hpp"
#include "nodes/plugin.hpp"
#include "nodes/store/memory_store.hpp"

namespace troupe::bench {

local_node::local_node() : assembly_({}, std::make_unique<memory_store>()) {
  auto plugin = load_plugin(build_folder() / "lib" / "troupe_examples.so");
  if (!plugin)
    throw cannot_measure{plugin.error().message()};
  if (auto done = assembly_.install("examples", plugin->content); !done)
    throw cannot_measure{done.error().message()};
}

} // namespace troupe::bench
