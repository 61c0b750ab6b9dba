// Where the keys end that begin with a prefix, in the order of their bytes.

#pragma once

#include <optional>
#include <string>

namespace troupe {

/// Greater than all strings that begin with `prefix`, and not greater than any
/// other that is; nothing if there is no such string.
inline std::optional<std::string> end_of_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF')
    prefix.pop_back();
  if (prefix.empty())
    return std::nullopt;
  prefix.back() =
    static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

} // namespace troupe
