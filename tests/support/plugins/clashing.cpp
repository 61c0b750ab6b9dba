// Brings a name of its own, and one that the examples have.

#include "actors/core/plugin.hpp"

namespace {

troupe::module clash() {
  troupe::module m;
  m.function("before_clash", [] { return 1; });
  m.function("add", [](int a, int b) { return a - b; });
  return m;
}

} // namespace

TROUPE_PLUGIN(clash)
