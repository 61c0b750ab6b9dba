#include "actors/core/codec.hpp"

namespace troupe {

namespace {

/// nlohmann parses any depth, then overflows the stack on copy or dump: count
/// before it starts.
bool deeper_than(std::string_view text, size_t limit) noexcept {
  size_t depth = 0;
  auto in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > limit)
        return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

} // namespace

json parse_json(std::string_view text, size_t depth_max) {
  if (deeper_than(text, depth_max))
    detail::throw_bad_argument("JSON is nested deeper than "
                               + std::to_string(depth_max) + " levels");
  try {
    return json::parse(text);
  } catch (const json::exception& e) {
    detail::throw_bad_argument(e.what());
  }
}

std::string dump_json(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void detail::throw_bad_argument(const std::string& why) {
  throw error_exception{error{errc::bad_request, why}};
}

} // namespace troupe
