#include "actors/core/payload_json.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "actors/core/base64.hpp"
#include "actors/core/codec.hpp"

namespace troupe {

namespace {

bool ends_with_ignoring_case(std::string_view x, std::string_view end) {
  auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
  };
  return x.size() >= end.size()
         && std::equal(x.end() - static_cast<ptrdiff_t>(end.size()), x.end(),
                       end.begin(), same);
}

} // namespace

bool says_json(std::string_view media_type) noexcept {
  auto media = media_type.substr(0, media_type.find(';'));
  while (media.ends_with(' ') || media.ends_with('\t'))
    media.remove_suffix(1);
  return media.empty() || ends_with_ignoring_case(media, "/json")
         || ends_with_ignoring_case(media, "+json");
}

bool is_json(const payload& x) {
  // A mark of UTF-8 may only be at the beginning of all.
  if (!says_json(x.content_type) || x.bytes.starts_with("\xEF\xBB\xBF"))
    return false;
  try {
    check_json(x.bytes);
    return true;
  } catch (const error_exception&) {
    return false;
  }
}

void append_payload(std::string& to, std::string_view name, const payload& x) {
  to.append("\"").append(name);
  if (is_json(x)) {
    to.append("\":").append(x.bytes);
    return;
  }
  to.append("Base64\":\"");
  append_base64(to, x.bytes);
  to.push_back('"');
}

} // namespace troupe
