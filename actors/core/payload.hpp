// Arguments and results at a border: HTTP, the command line, another node.

#pragma once

#include <string>

namespace troupe {

/// Bytes with their media type. Moved, never copied, on the way of a call.
struct payload {
  std::string bytes;

  /// Empty: JSON that Troupe made or may read as such.
  std::string content_type;

  friend bool operator==(const payload&, const payload&) = default;
};

} // namespace troupe
