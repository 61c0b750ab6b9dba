#include "actors/model/rfc3986.hpp"

#include <algorithm>

namespace troupe {

namespace {

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Unreserved, or a delimiter.
bool may_be_in_uri(char c) noexcept {
  constexpr std::string_view marks = "-._~:/?#[]@!$&'()*+,;=";
  return is_letter(c) || is_digit(c) || marks.find(c) != marks.npos;
}

/// How much of it is the scheme, without the colon; 0: there is none.
size_t scheme_length(std::string_view text) noexcept {
  auto colon = text.find(':');
  if (colon == text.npos || colon == 0 || !is_letter(text.front()))
    return 0;
  auto fits = [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  };
  auto scheme = text.substr(0, colon);
  return std::all_of(scheme.begin(), scheme.end(), fits) ? colon : 0;
}

} // namespace

bool is_uri_reference(std::string_view text) noexcept {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
        return false;
      i += 2;
    } else if (!may_be_in_uri(text[i])) {
      return false;
    }
  }
  // What has a colon in its first segment begins with a scheme.
  auto first = text.substr(0, text.find_first_of("/?#"));
  return !text.empty() && std::count(text.begin(), text.end(), '#') <= 1
         && (first.find(':') == first.npos || scheme_length(text) > 0);
}

bool is_uri(std::string_view text) noexcept {
  return is_uri_reference(text) && scheme_length(text) > 0
         && scheme_length(text) < text.find_first_of("/?#");
}

} // namespace troupe
