// A plugin of another time.

#include "actors/core/plugin.hpp"

extern "C" __attribute__((visibility("default"), used))
const troupe::plugin_entry troupe_plugin = {
  troupe::plugin_magic, troupe::plugin_abi_version + 41, sizeof(troupe::module),
  __VERSION__, nullptr};
