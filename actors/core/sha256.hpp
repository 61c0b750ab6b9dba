// A name for long bytes that nobody can make two texts for (FIPS 180-4).

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace troupe {

/// 64 hexadecimal digits: of all parts with their lengths.
std::string sha256(std::initializer_list<std::string_view> parts);

} // namespace troupe
