#include "actors/core/base64.hpp"

#include <algorithm>
#include <cstdint>

#include <openssl/evp.h>

namespace troupe {

namespace {

/// Below 0 if it is none.
int digit(char c) noexcept {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

} // namespace

void append_base64(std::string& to, std::string_view bytes) {
  auto begin = to.size();
  to.resize(begin + (bytes.size() + 2) / 3 * 4 + 1); // and a zero
  auto size =
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(to.data() + begin),
                    reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
  to.resize(begin + static_cast<size_t>(size));
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string result;
  result.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  unsigned count = 0; // of bits
  for (auto c : text) {
    auto value = digit(c);
    if (value < 0)
      return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      result += static_cast<char>(bits >> count & 0xFF);
      bits &= (1u << count) - 1;
    }
  }
  if (bits != 0)
    return std::nullopt;
  return result;
}

} // namespace troupe
