// Secrets are in files, not in options.

#pragma once

#include <string>

namespace troupe {

/// @throws std::runtime_error that says why unless the file can be read
void expect_readable(const std::string& file);

/// The first line of a file; empty without a file.
/// @throws std::runtime_error if it cannot be read
std::string read_password(const std::string& file);

} // namespace troupe
