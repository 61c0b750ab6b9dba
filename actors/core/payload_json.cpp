#include "actors/core/payload_json.hpp"

#include <string_view>

#include <openssl/evp.h>

#include "actors/core/codec.hpp"

namespace troupe {

namespace {

bool may_be_json(const payload& x) {
  std::string_view type = x.content_type;
  auto media = type.substr(0, type.find(';'));
  return type.empty() || media == "application/json"
         || media.ends_with("+json");
}

void append_base64(std::string& to, std::string_view bytes) {
  auto begin = to.size();
  to.resize(begin + (bytes.size() + 2) / 3 * 4 + 1); // and a zero
  auto size =
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(to.data() + begin),
                    reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<int>(bytes.size()));
  to.resize(begin + static_cast<size_t>(size));
}

} // namespace

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  auto end = text.find_last_not_of('=') + 1; // 0 if there is nothing else
  auto padding = text.size() - end;
  if (text.size() % 4 != 0 || padding > 2
      || text.substr(0, end).find_first_not_of(digits) != text.npos)
    return std::nullopt;
  std::string result(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                      reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()))
      < 0)
    return std::nullopt;
  result.resize(result.size() - padding);
  return result;
}

bool is_json(const payload& x) {
  // A mark of UTF-8 may only be at the beginning of all.
  if (!may_be_json(x) || x.bytes.starts_with("\xEF\xBB\xBF"))
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
