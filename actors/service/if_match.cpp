#include "actors/service/if_match.hpp"

#include <optional>
#include <string>

namespace troupe {

namespace {

struct entity_tag {
  std::string_view opaque;
  bool weak = false;
};

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t';
}

void skip_spaces(std::string_view& s) noexcept {
  while (!s.empty() && is_space(s.front()))
    s.remove_prefix(1);
}

/// etagc of RFC 9110.
bool is_tag_character(char c) noexcept {
  auto byte = static_cast<unsigned char>(c);
  return byte == 0x21 || (byte >= 0x23 && byte != 0x7F);
}

/// Takes one tag from the front of `s`.
std::optional<entity_tag> take_tag(std::string_view& s) noexcept {
  entity_tag result;
  result.weak = s.starts_with("W/");
  if (result.weak)
    s.remove_prefix(2);
  if (!s.starts_with('"'))
    return std::nullopt;
  size_t end = 1;
  while (end < s.size() && is_tag_character(s[end]))
    ++end;
  if (end == s.size() || s[end] != '"')
    return std::nullopt;
  result.opaque = s.substr(1, end - 1);
  s.remove_prefix(end + 1);
  return result;
}

} // namespace

if_match check_if_match(std::string_view condition, uint64_t revision,
                        bool exists) {
  skip_spaces(condition);
  if (condition.starts_with('*')) {
    condition.remove_prefix(1);
    skip_spaces(condition);
    if (!condition.empty())
      return if_match::malformed;
    return exists ? if_match::holds : if_match::differs;
  }
  auto wanted = std::to_string(revision);
  auto found = false;
  auto any = false;
  while (!condition.empty()) {
    if (!condition.starts_with(',')) {
      auto tag = take_tag(condition);
      if (!tag)
        return if_match::malformed;
      any = true;
      found = found || (!tag->weak && tag->opaque == wanted);
      skip_spaces(condition);
      if (!condition.empty() && !condition.starts_with(','))
        return if_match::malformed;
    }
    if (!condition.empty())
      condition.remove_prefix(1); // lists may have empty elements
    skip_spaces(condition);
  }
  if (!any)
    return if_match::malformed;
  return found ? if_match::holds : if_match::differs;
}

} // namespace troupe
