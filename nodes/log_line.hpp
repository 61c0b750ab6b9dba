// Text of others in a line of a node's log: it can be long, and it must not end
// the line.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// `text` without control characters, and cut to what a line may have.
std::string log_line(std::string_view text);

/// " and 3 more"; empty if all are shown.
std::string and_more(size_t all, size_t shown);

/// "a, b and 3 more".
std::string log_list(const std::vector<std::string>& names, size_t most);

} // namespace troupe
