// The options file. Boost's reader knows no line numbers and cuts values at any
// '#'; an operator who has a wrong line wants to be told which.

#pragma once

#include <istream>
#include <string>
#include <vector>

namespace troupe {

/// One `key = value` of the file.
struct ini_entry {
  /// "a.b-c" for `b-c` under `[a]`.
  std::string name;

  std::string value;

  /// Counts from 1.
  size_t line = 0;
};

/// Everything in `in`, in its order. Lines that begin with '#' or ';' are
/// comments; blanks around names and values do not count.
/// @throws std::invalid_argument that names the line which is none of these, or
///         if it is larger than 1 MiB
std::vector<ini_entry> read_ini(std::istream& in);

} // namespace troupe
