#include "nodes/store/postgres_message.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr std::string_view blanks = " \t\r";

/// Without blanks around it, and with single ones in it.
std::string squeezed(std::string_view line) {
  std::string result;
  for (auto c : line)
    if (blanks.find(c) == blanks.npos)
      result += c;
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  return result.substr(0, result.find_last_not_of(' ') + 1);
}

/// Between what was said, and a line after it.
const char* link(const std::string& said, bool was_indented, bool is_indented) {
  constexpr std::string_view ends = ".?!:;,";
  if (ends.find(said.back()) != ends.npos || (was_indented && is_indented))
    return " ";
  return is_indented ? ": " : "; ";
}

} // namespace

std::string one_line(std::string_view text) {
  std::string result;
  auto was_indented = false;
  for (size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find('\n', begin), text.size());
    auto raw = text.substr(begin, end - begin);
    begin = end + 1;
    auto line = squeezed(raw);
    if (line.empty())
      continue;
    auto is_indented = blanks.find(raw.front()) != blanks.npos;
    if (!result.empty())
      result += link(result, was_indented, is_indented);
    result += line;
    was_indented = is_indented;
  }
  return result;
}

} // namespace troupe
