#include "actors/model/utf8.hpp"

namespace troupe {

size_t utf8_length(std::string_view text) noexcept {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  auto first = byte(0);
  if (first < 0x80)
    return 1;
  auto length = first >= 0xF0 ? 4u : first >= 0xE0 ? 3u : 2u;
  if (first < 0xC2 || first > 0xF4 || text.size() < length)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  auto second = byte(1);
  auto bad =
    (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)
    || (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return bad ? 0 : length;
}

uint32_t utf8_character(std::string_view text, size_t length) noexcept {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (length == 1)
    return byte(0);
  uint32_t result = byte(0) & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i)
    result = result << 6 | (byte(i) & 0x3Fu);
  return result;
}

} // namespace troupe
