// Loads modules from shared objects. A file is copied before it is opened, so
// that a build may overwrite it while its code runs; an old version stays mapped
// until the process ends, for calls may still be in it.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "actors/core/expected.hpp"
#include "actors/core/module.hpp"

namespace troupe {

struct loaded_plugin {
  module content;

  /// Of the file's bytes: the same build is not loaded twice.
  uint64_t fingerprint = 0;
};

/// A hash of the file's bytes. Fails with `bad_request` if it cannot be read.
expected<uint64_t> fingerprint_of(const std::filesystem::path& file);

/// Fails with `bad_request` and a sentence for the operator: no such file, no
/// shared object, no entry point, another ABI version, a module that throws.
expected<loaded_plugin> load_plugin(const std::filesystem::path& file);

} // namespace troupe
