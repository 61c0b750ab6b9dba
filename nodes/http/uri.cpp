#include "nodes/http/uri.hpp"

#include "nodes/http/message.hpp"

namespace troupe::http {

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

std::string_view trim(std::string_view x) noexcept {
  while (!x.empty() && (x.front() == ' ' || x.front() == '\t'))
    x.remove_prefix(1);
  while (!x.empty() && (x.back() == ' ' || x.back() == '\t'))
    x.remove_suffix(1);
  return x;
}

} // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  std::string result;
  for (auto c : text) {
    if (plain.find(c) != plain.npos) {
      result += c;
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    if (i + 2 >= text.size())
      return std::nullopt;
    auto high = hex_digit(text[i + 1]);
    auto low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0)
      return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::optional<std::vector<parameter>> parse_query(std::string_view query) {
  std::vector<parameter> result;
  while (!query.empty()) {
    auto end = std::min(query.find('&'), query.size());
    auto entry = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (entry.empty())
      continue;
    auto equals = std::min(entry.find('='), entry.size());
    auto name = percent_decode(entry.substr(0, equals));
    auto value =
      percent_decode(entry.substr(std::min(equals + 1, entry.size())));
    if (!name || !value)
      return std::nullopt;
    result.push_back({*std::move(name), *std::move(value)});
  }
  return result;
}

bool has_preference(std::string_view value, std::string_view name) {
  while (!value.empty()) {
    auto end = std::min(value.find(','), value.size());
    auto entry = value.substr(0, end);
    if (same_name(trim(entry.substr(0, entry.find_first_of(";="))), name))
      return true;
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return false;
}

} // namespace troupe::http
