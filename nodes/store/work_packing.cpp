#include "nodes/store/work_packing.hpp"

#include <charconv>

namespace troupe {

std::string pack(std::initializer_list<std::string_view> parts) {
  std::string result;
  size_t length = 0;
  for (auto part : parts)
    length += part.size() + 8;
  result.reserve(length);
  for (auto part : parts) {
    char digits[20];
    auto end = std::to_chars(digits, digits + sizeof digits, part.size()).ptr;
    result.append(digits, end);
    result += ':';
    result += part;
  }
  return result;
}

bool try_unpack(std::string_view packed,
                std::initializer_list<std::string*> parts) {
  for (auto part : parts) {
    size_t length = 0;
    auto [at, code] = std::from_chars(packed.begin(), packed.end(), length);
    if (code != std::errc{} || at == packed.end() || *at != ':')
      return false;
    packed.remove_prefix(static_cast<size_t>(at + 1 - packed.begin()));
    if (packed.size() < length)
      return false;
    *part = packed.substr(0, length);
    packed.remove_prefix(length);
  }
  return true;
}

} // namespace troupe
