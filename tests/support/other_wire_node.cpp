// `troupe node` as another build of Troupe: its wire is TROUPE_WIRE_AHEAD versions
// ahead of this one's. All else is the node's.

#include <cstdio>
#include <utility>

#include "actors/core/wire_version.hpp"
#include "nodes/node.hpp"
#include "nodes/options.hpp"

int main(int argc, char** argv) {
  if (argc < 2)
    return 2;
  auto parsed =
    troupe::parse_node_options({argv + 2, argv + argc}, // after "node"
                               troupe::current_environment());
  if (!parsed) {
    std::fprintf(stderr, "%s\n", parsed.error().message().c_str());
    return 2;
  }
  auto options = std::move(parsed->options);
  options.cluster.wire_version = troupe::wire::version + TROUPE_WIRE_AHEAD;
  return troupe::run_node(std::move(options));
}
