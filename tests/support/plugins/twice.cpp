// The same name for two things.

#include "actors/core/plugin.hpp"

namespace {

struct item {
  int value = 0;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(item, value)
};

troupe::module twice() {
  troupe::module m;
  m.function("item", [] { return 1; });
  m.service<item>("item");
  return m;
}

} // namespace

TROUPE_PLUGIN(twice)
