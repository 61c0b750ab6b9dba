// What a subcommand prints. Nothing is written before all is known to be well,
// so that a failure leaves stdout empty.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/troupe/client/http_client.hpp"

namespace troupe::cli {

/// Writes all of `text` to stdout.
/// @throws closed_pipe if nobody reads it any more
/// @throws error_exception if it cannot be written (a full disk)
void write_stdout(std::string_view text);

/// The answer's bytes as they are. A newline follows where it cannot do harm:
/// on a terminal, and after JSON that ends without one.
void write_answer(const http_answer& answer);

/// Whether stdout is a terminal that shows UTF-8.
bool can_draw_lines();

/// `text` without the control characters that a terminal would obey.
std::string printable(const std::string& text);

/// `text` if it has `most` characters or fewer, else its beginning and "...", for
/// a column of a list. @pre most > 3
std::string shortened(const std::string& text, size_t most);

/// Of an error in a list that is not for a terminal.
inline constexpr size_t error_width = 60;

/// Columns as wide as their widest cell; the last one is not padded.
class table {
public:
  explicit table(std::vector<std::string> header);

  void add(std::vector<std::string> row);

  /// Lines of text; the header alone if there are no rows.
  std::string to_string() const;

  /// Lines that are no wider than `width`: columns are left out, in the order of
  /// `expendable`, until there is room for the last one, which is cut.
  /// @pre width > 3
  std::string to_string(size_t width,
                        const std::vector<std::string>& expendable) const;

private:
  std::vector<size_t> widths() const;
  void remove(const std::string& column);

  std::vector<std::vector<std::string>> rows_;
};

/// Writes a table to stdout. On a terminal no line is wider than that: columns are
/// left out, in the order of `expendable`.
void write_fitting(const table& what,
                   const std::vector<std::string>& expendable);

} // namespace troupe::cli
