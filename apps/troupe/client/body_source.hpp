// `-d DATA|@FILE|-`: what is sent.

#pragma once

#include <optional>
#include <string>

namespace troupe::cli {

struct body_source {
  std::string bytes;

  /// Typed on the command line, rather than read from a file or stdin.
  bool is_typed = true;

  /// Nothing gives an empty body; "-" reads stdin, "@FILE" a file.
  /// @throws usage_error if the file cannot be read: the command line names
  ///         something that is not there, and nothing has been sent
  static body_source read(const std::optional<std::string>& data);

  /// What the bytes are, for the node: JSON only if somebody typed JSON. Bytes
  /// of a file stay what they are, so that an echo of them is exact.
  std::string content_type() const;
};

} // namespace troupe::cli
