// What libpq says, as a line of a log or of an error.

#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// `text` in one line. An indented line of libpq's explains the one before: it
/// comes after ": ". One that is not indented is another message: after "; ".
std::string one_line(std::string_view text);

} // namespace troupe
