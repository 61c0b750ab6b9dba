#include "actors/core/outside.hpp"

#include <algorithm>
#include <charconv>

#include "actors/core/defaults.hpp"
#include "actors/core/module.hpp"

namespace troupe {

namespace {

struct scheme {
  std::string_view text;
  outside_kind kind;
};

constexpr scheme schemes[] = {
  {"http://", outside_kind::http}, {"https://", outside_kind::http},
  {"nats://", outside_kind::nats}, {"tls://", outside_kind::nats},
  {"mqtt://", outside_kind::mqtt}, {"mqtts://", outside_kind::mqtt},
};

const scheme* find_scheme(std::string_view url) {
  auto i = std::find_if(std::begin(schemes), std::end(schemes),
                        [&](auto& x) { return url.starts_with(x.text); });
  return i != std::end(schemes) ? i : nullptr;
}

bool is_letter_or_digit(char x) {
  return (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z')
         || (x >= '0' && x <= '9');
}

bool is_port(std::string_view text) {
  uint32_t number = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, number);
  return failed == std::errc{} && rest == end && number >= 1
         && number <= 65'535;
}

/// `example.org`, `example.org:8080`, `[::1]:8080`.
bool is_host(std::string_view text) {
  auto colon = text.rfind(':');
  auto has_port = colon != text.npos && text.find(']', colon) == text.npos;
  if (has_port && !is_port(text.substr(colon + 1)))
    return false;
  return is_host_name(text.substr(0, has_port ? colon : text.npos));
}

/// No empty token, none that is a wildcard.
bool is_subject(std::string_view text) {
  if (text.empty() || text.starts_with('.') || text.ends_with('.'))
    return false;
  return text.find("..") == text.npos && text.find_first_of("*>") == text.npos;
}

bool is_topic(std::string_view text) {
  return !text.empty() && text.find_first_of("+#") == text.npos;
}

bool fits(outside_kind kind, std::string_view rest) {
  // Visible ASCII: everything else is percent-encoded, or has no place here.
  if (!std::all_of(rest.begin(), rest.end(),
                   [](char x) { return x > ' ' && x < 0x7F; }))
    return false;
  switch (kind) {
  case outside_kind::http:
    return rest.find('#') == rest.npos;
  case outside_kind::nats:
    return is_subject(rest);
  case outside_kind::mqtt:
    return is_topic(rest);
  }
  return false;
}

} // namespace

bool is_host_name(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2)
    return host.find_first_not_of("0123456789abcdefABCDEF:.", 1)
           == host.size() - 1;
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char x) {
    return is_letter_or_digit(x) || x == '.' || x == '-' || x == '_';
  });
}

expected<work_target> parse_outside(std::string_view url) {
  auto wrong = [&](const std::string& why) {
    return error{errc::bad_request,
                 "'" + std::string{url.substr(0, 200)} + "' " + why};
  };
  auto found = find_scheme(url);
  if (!found)
    return wrong("is none of http://, https://, nats://, tls:// (NATS), "
                 "mqtt:// and mqtts:// with a host");
  if (url.size() > defaults::work::url_length_max)
    return wrong("is longer than "
                 + std::to_string(defaults::work::url_length_max) + " bytes");
  auto begin = found->text.size();
  auto end = std::min(url.find('/', begin), url.size());
  auto host = url.substr(begin, end - begin);
  if (host.find('@') != host.npos)
    return wrong("has a user in it; secrets do not belong into URLs");
  if (!is_host(host))
    return wrong("has no good host and port");
  auto rest = url.substr(std::min(end + 1, url.size()));
  if (!fits(found->kind, rest))
    return wrong("has no good "
                 + std::string{found->kind == outside_kind::http   ? "path"
                               : found->kind == outside_kind::nats ? "subject"
                                                                   : "topic"}
                 + " after its host");
  work_target result;
  result.name = url.substr(0, end);
  result.key = rest;
  return result;
}

outside_kind outside_kind_of(const work_target& to) {
  auto found = find_scheme(to.name);
  return found ? found->kind : outside_kind::http;
}

bool is_outside_lane(std::string_view text) {
  auto found = find_scheme(text);
  return found && is_host(text.substr(found->text.size()));
}

bool is_valid_lane(std::string_view text) {
  if (looks_outside(text))
    return is_outside_lane(text);
  if (text.ends_with('/'))
    text.remove_suffix(1);
  return is_valid_name(text);
}

std::string outside_part(outside_kind to, std::string_view value) {
  auto is_plain = [to](char x) {
    if (is_letter_or_digit(x) || x == '-' || x == '_' || x == '~')
      return true;
    return x == '.' && to != outside_kind::nats;
  };
  constexpr auto digits = "0123456789ABCDEF";
  std::string result;
  for (auto x : value) {
    if (is_plain(x)) {
      result += x;
      continue;
    }
    auto byte = static_cast<unsigned char>(x);
    result += '%';
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

} // namespace troupe
