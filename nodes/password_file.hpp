// Secrets are in files, not in options.

#pragma once

#include <string>

namespace troupe {

/// The first line of a file; empty without a file.
/// @throws std::runtime_error if it cannot be read
std::string read_password(const std::string& file);

} // namespace troupe
