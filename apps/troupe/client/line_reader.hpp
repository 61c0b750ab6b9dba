// The lines of a file or of stdin, for subcommands that read JSON lines of any
// number.

#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "actors/core/errors.hpp"

namespace troupe::cli {

/// A line that is not sent.
class bad_line : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class line_reader {
public:
  /// @param path a file, or "-" for stdin
  /// @throws usage_error if it cannot be read
  explicit line_reader(const std::string& path);

  /// The next line without its end; nothing after the last.
  /// @throws bad_line
  std::optional<std::string> next();

  /// Bytes that were read.
  uint64_t position() const noexcept { return position_; }

  /// Bytes that there are; 0 if nobody knows.
  uint64_t size() const noexcept { return size_; }

private:
  struct closer {
    void operator()(FILE* x) const noexcept {
      if (x != stdin)
        std::fclose(x);
    }
  };

  std::unique_ptr<FILE, closer> file_;
  uint64_t position_ = 0;
  uint64_t size_ = 0;
};

/// `reason` with another text, which says of which lines it is.
error retold(const error& reason, std::string text);

} // namespace troupe::cli
