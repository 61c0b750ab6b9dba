// How a shared object brings a module into a node:
//
//   #include <troupe/plugin.hpp>
//
//   troupe::module shop() { ... }
//
//   TROUPE_PLUGIN(shop)
//
// The macro exports one symbol, `troupe_plugin`, a `plugin_entry`. A node reads
// its first two fields before anything else: a plugin of another version is
// refused with a clear error instead of crashing the node. Compile plugins with
// -fno-gnu-unique (as the CMake function `troupe_plugin` does), so that two builds
// of one can be loaded at the same time.

#pragma once

#include <cstdint>

#include "actors/core/module.hpp"

namespace troupe {

/// The name of the symbol.
inline constexpr auto plugin_symbol = "troupe_plugin";

/// "TROUPE" and two zero bytes.
inline constexpr uint64_t plugin_magic = 0x0000'4550'554F'5254;

/// Rises when a plugin built before cannot be used any more.
inline constexpr uint32_t plugin_abi_version = 1;

/// The entry point. The layout of the first three fields never changes.
struct plugin_entry {
  uint64_t magic = plugin_magic;
  uint32_t abi_version = plugin_abi_version;

  /// sizeof(module): another standard library or other flags.
  uint32_t module_size = sizeof(module);

  /// The compiler that built it; shown when a plugin is refused.
  const char* compiler = __VERSION__;

  /// Fills `result`; may throw.
  void (*fill)(module& result) = nullptr;
};

} // namespace troupe

/// Exports the module that `make()` gives.
#define TROUPE_PLUGIN(make)                                                    \
  extern "C" __attribute__((visibility("default"), used))                      \
  const ::troupe::plugin_entry troupe_plugin = {                               \
    ::troupe::plugin_magic, ::troupe::plugin_abi_version,                      \
    sizeof(::troupe::module), __VERSION__,                                     \
    +[](::troupe::module& result) { result = make(); }};
