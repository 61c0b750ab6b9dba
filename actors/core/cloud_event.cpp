#include "actors/core/cloud_event.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "actors/core/payload_json.hpp"
#include "actors/model/rfc3339.hpp"
#include "actors/model/rfc3986.hpp"
#include "actors/model/utf8.hpp"

namespace troupe {

namespace {

/// Attributes that are text in every event, or may be.
constexpr std::array texts = {
  std::pair{"id", &cloud_event::id},
  std::pair{"source", &cloud_event::source},
  std::pair{"type", &cloud_event::type},
  std::pair{"subject", &cloud_event::subject},
  std::pair{"time", &cloud_event::time},
  std::pair{"dataschema", &cloud_event::dataschema},
  std::pair{"datacontenttype", &cloud_event::datacontenttype},
};

error bad(std::string what) {
  return {errc::bad_request, std::move(what)};
}

/// What a text of the specification must not have in it.
bool is_forbidden(uint32_t c) noexcept {
  auto is_control = c < 0x20 || (c >= 0x7F && c <= 0x9F);
  auto is_noncharacter = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
  return is_control || is_noncharacter;
}

bool is_text(std::string_view x) noexcept {
  while (!x.empty()) {
    auto length = utf8_length(x);
    if (length == 0 || is_forbidden(utf8_character(x, length)))
      return false;
    x.remove_prefix(length);
  }
  return true;
}

/// `type/subtype`, and maybe parameters, which are not looked at.
bool is_media_type(std::string_view x) noexcept {
  x = x.substr(0, x.find(';'));
  while (x.ends_with(' ') || x.ends_with('\t'))
    x.remove_suffix(1);
  auto is_token = [](std::string_view y) {
    auto fits = [](char c) {
      constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
             || (c >= '0' && c <= '9') || marks.find(c) != marks.npos;
    };
    return !y.empty() && std::all_of(y.begin(), y.end(), fits);
  };
  auto slash = x.find('/');
  return slash != x.npos && is_token(x.substr(0, slash))
         && is_token(x.substr(slash + 1));
}

expected<void> check_extensions(const cloud_event& x) {
  for (auto& [name, value] : x.extensions) {
    if (!is_extension_name(name))
      return bad("an event has no attribute '" + name
                 + "': names of extensions are of a-z and 0-9");
    if (auto text = std::get_if<std::string>(&value); text && !is_text(*text))
      return bad("the attribute '" + name
                 + "' of an event is no text of UTF-8 without control "
                   "characters");
  }
  return {};
}

} // namespace

std::string cloud_event::*own_attribute(std::string_view name) noexcept {
  for (auto& [own, where] : texts)
    if (name == own)
      return where;
  return nullptr;
}

bool is_extension_name(std::string_view name) noexcept {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), fits)
         && name != "specversion" && name != "data" && !own_attribute(name);
}

std::string to_string(const cloud_event::value& x) {
  if (auto text = std::get_if<std::string>(&x))
    return *text;
  if (auto truth = std::get_if<bool>(&x))
    return *truth ? "true" : "false";
  return std::to_string(std::get<int32_t>(x));
}

bool cloud_event::has_json() const noexcept {
  return says_json(datacontenttype);
}

payload cloud_event::body() const {
  if (!data)
    return {};
  return {*data,
          datacontenttype.empty() ? "application/json" : datacontenttype};
}

std::optional<std::string> cloud_event::attribute(std::string_view name) const {
  if (name == "specversion")
    return "1.0";
  if (auto own = own_attribute(name))
    return (this->*own).empty() ? std::nullopt : std::optional{this->*own};
  auto i = extensions.find(std::string{name});
  if (i == extensions.end())
    return std::nullopt;
  return troupe::to_string(i->second);
}

expected<void> cloud_event::validate() const {
  for (auto& [name, member] : texts)
    if (!is_text(this->*member))
      return bad("the attribute '" + std::string{name}
                 + "' of an event is no text of UTF-8 without control "
                   "characters");
  for (auto& [name, value] :
       {std::pair{"id", &id}, {"source", &source}, {"type", &type}})
    if (value->empty())
      return bad("an event needs the attribute '" + std::string{name}
                 + "', which is not empty");
  if (!is_uri_reference(source))
    return bad("the source of an event is a URI reference");
  if (!dataschema.empty() && !is_uri(dataschema))
    return bad("the dataschema of an event is a URI");
  if (!time.empty() && !is_rfc3339(time))
    return bad("the time of an event is as in 2018-04-05T17:31:00Z (RFC 3339)");
  if (!datacontenttype.empty() && !is_media_type(datacontenttype))
    return bad("the datacontenttype of an event is a media type");
  return check_extensions(*this);
}

} // namespace troupe
