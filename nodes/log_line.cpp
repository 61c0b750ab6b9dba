#include "nodes/log_line.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr size_t line_length_max = 1024;

} // namespace

std::string log_line(std::string_view text) {
  std::string result{text.substr(0, line_length_max)};
  std::replace_if(
    result.begin(), result.end(),
    [](unsigned char x) { return x < 0x20 || x == 0x7f; }, '?');
  return result;
}

std::string and_more(size_t all, size_t shown) {
  return all > shown ? " and " + std::to_string(all - shown) + " more"
                     : std::string{};
}

std::string log_list(const std::vector<std::string>& names, size_t most) {
  auto shown = std::min(names.size(), most);
  std::string result;
  for (size_t i = 0; i < shown; ++i)
    result += (i == 0 ? "" : ", ") + names[i];
  return result + and_more(names.size(), shown);
}

} // namespace troupe
