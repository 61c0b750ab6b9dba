// A plugin whose module cannot be made.

#include <stdexcept>

#include "actors/core/plugin.hpp"

namespace {

troupe::module broken() {
  throw std::runtime_error("the price list is missing");
}

} // namespace

TROUPE_PLUGIN(broken)
