#include "nodes/store/work_packing.hpp"

#include <charconv>

namespace troupe {

std::string pack(std::initializer_list<std::string_view> parts) {
  std::string result;
  pack(result, parts);
  return result;
}

void pack(std::string& to, std::initializer_list<std::string_view> parts) {
  to.clear();
  size_t length = 0;
  for (auto part : parts)
    length += part.size() + 8;
  to.reserve(length);
  for (auto part : parts) {
    char digits[20];
    auto end = std::to_chars(digits, digits + sizeof digits, part.size()).ptr;
    to.append(digits, end);
    to += ':';
    to += part;
  }
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
