// Two builds of this answer 1 and 2.

#include <chrono>

#include "actors/core/plugin.hpp"

namespace {

troupe::task<int> slow_version(troupe::context& ctx, uint32_t ms) {
  co_await ctx.sleep(std::chrono::milliseconds{ms});
  co_return TROUPE_TEST_VERSION;
}

troupe::module versioned() {
  troupe::module m;
  m.function("version", [] { return TROUPE_TEST_VERSION; });
  m.function("slow_version", slow_version);
  return m;
}

} // namespace

TROUPE_PLUGIN(versioned)
