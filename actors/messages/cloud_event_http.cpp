#include "actors/messages/cloud_event_http.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "actors/core/cloud_event_json.hpp"

namespace troupe {

namespace {

constexpr std::string_view prefix = "ce-";

[[noreturn]] void refuse(std::string what) {
  throw error_exception{error{errc::bad_request, std::move(what)}};
}

std::string to_lower(std::string_view x) {
  std::string result{x};
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

/// What is between double quotes, without the backslashes (RFC 7230, 3.2.6);
/// nothing if the quotes are not closed.
std::optional<std::string> unquote(std::string_view x) {
  if (!x.starts_with('"'))
    return std::string{x};
  std::string result;
  for (size_t i = 1; i < x.size(); ++i) {
    if (x[i] == '"')
      return i + 1 == x.size() ? std::optional{result} : std::nullopt;
    if (x[i] == '\\' && ++i == x.size())
      return std::nullopt;
    result += x[i];
  }
  return std::nullopt;
}

int hex_digit(char c) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  auto i =
    digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  return i == digits.npos ? -1 : static_cast<int>(i);
}

/// Nothing if a percent sign begins no escape.
std::optional<std::string> decode(std::string_view x) {
  std::string result;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] != '%') {
      result += x[i];
      continue;
    }
    auto high = i + 2 < x.size() ? hex_digit(x[i + 1]) : -1;
    auto low = high >= 0 ? hex_digit(x[i + 2]) : -1;
    if (low < 0)
      return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::string encode(std::string_view x) {
  constexpr auto digits = "0123456789ABCDEF";
  std::string result;
  for (unsigned char c : x)
    if (c > ' ' && c <= '~' && c != '"' && c != '%')
      result += static_cast<char>(c);
    else
      ((result += '%') += digits[c >> 4]) += digits[c & 15];
  return result;
}

void take(cloud_event& to, std::string& version, const std::string& name,
          std::string value) {
  if (name == "datacontenttype")
    refuse("ce-datacontenttype is written as Content-Type");
  if (name == "specversion") {
    version = std::move(value);
  } else if (auto own = own_attribute(name)) {
    if (value.empty())
      refuse("the attribute '" + name + "' of an event is not empty");
    to.*own = std::move(value);
  } else {
    to.extensions.emplace(name, std::move(value));
  }
}

} // namespace

expected<event_mode> event_mode_of(std::string_view content_type) {
  auto media = to_lower(content_type.substr(0, content_type.find(';')));
  while (media.ends_with(' ') || media.ends_with('\t'))
    media.pop_back();
  if (media == structured_event_type)
    return event_mode::structured;
  if (media == event_batch_type)
    return event_mode::batch;
  if (media.starts_with("application/cloudevents"))
    return error{errc::bad_request, "of the formats of events there are "
                                    "application/cloudevents+json and "
                                    "application/cloudevents-batch+json, not "
                                      + media};
  return event_mode::binary;
}

expected<cloud_event> read_binary_event(const header_list& headers,
                                        std::string_view content_type,
                                        std::string body) {
  try {
    cloud_event result;
    std::string version;
    std::set<std::string> seen;
    for (auto& [header, value] : headers) {
      auto name = to_lower(header).substr(prefix.size());
      if (!seen.insert(name).second)
        refuse("an event has ce-" + name + " twice");
      auto plain = unquote(value);
      auto decoded = plain ? decode(*plain) : std::nullopt;
      if (!decoded)
        refuse("ce-" + name
               + " has a quote that does not end, or a percent "
                 "sign that begins no escape");
      take(result, version, name, std::move(*decoded));
    }
    if (version.empty())
      refuse("this is no event: without ce-specversion, an event is "
             "application/cloudevents+json");
    if (version != "1.0")
      refuse("the specversion of an event is 1.0");
    result.datacontenttype = content_type;
    if (!body.empty())
      result.data = std::move(body);
    if (auto good = result.validate(); !good)
      return good.error();
    return result;
  } catch (const error_exception& e) {
    return e.reason();
  }
}

header_list to_headers(const cloud_event& x) {
  header_list result;
  auto add = [&](const std::string& name) {
    if (auto text = x.attribute(name))
      result.emplace_back("ce-" + name, encode(*text));
  };
  for (auto name :
       {"specversion", "id", "source", "type", "subject", "time", "dataschema"})
    add(name);
  for (auto& [name, value] : x.extensions)
    add(name);
  // Of JSON without a type: what was understood must be said here.
  if (x.data)
    result.emplace_back("Content-Type", x.body().content_type);
  else if (!x.datacontenttype.empty())
    result.emplace_back("Content-Type", x.datacontenttype);
  return result;
}

} // namespace troupe
