// The other node of `troupe_bench --only forward`, and beside it, in the same
// actor system, what a CAF user would publish. Says where both are, then serves
// until it is killed.

#include <cstdio>
#include <exception>

#include <unistd.h>

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>

#include "apps/bench/bare_adder.hpp"
#include "apps/bench/forward_node.hpp"

int main() {
  using namespace troupe::bench;
  try {
    forward_node node{"peer"};
    auto adder = node.system().spawn(bare_adder);
    auto port = node.system().middleman().publish(adder, 0, "127.0.0.1");
    if (!port)
      return 1;
    std::printf("%s\n%u\n", node.address().c_str(), unsigned{*port});
    std::fflush(stdout);
    for (;;)
      ::pause();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
