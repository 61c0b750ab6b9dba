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

/// `sent` is a number or a boolean.
bool is_same_number(const json& sent, const json& kept) {
  if (sent.is_boolean() || kept.is_boolean())
    return sent.is_boolean() == kept.is_boolean();
  if (kept.is_number_float())
    return true; // a float is the nearest one
  if (sent.is_number_float())
    return sent.get<double>() == kept.get<double>();
  auto is_negative = [](const json& x) {
    return !x.is_number_unsigned() && x.get<int64_t>() < 0;
  };
  return is_negative(sent) == is_negative(kept)
         && sent.get<uint64_t>() == kept.get<uint64_t>();
}

/// Where `kept` differs from `sent`, as a JSON pointer; nothing if it does not.
/// Kinds that differ (a time written as text, say) are the class's own affair.
std::optional<std::string> find_cut(const json& sent, const json& kept) {
  auto is_number = [](const json& x) {
    return x.is_number() || x.is_boolean();
  };
  if (is_number(sent) && is_number(kept))
    return is_same_number(sent, kept) ? std::nullopt
                                      : std::optional<std::string>{""};
  if (sent.is_array() && kept.is_array()) {
    if (sent.size() != kept.size())
      return "";
    for (size_t i = 0; i < sent.size(); ++i)
      if (auto at = find_cut(sent[i], kept[i]))
        return "/" + std::to_string(i) + *at;
  }
  if (sent.is_object() && kept.is_object())
    for (auto& [name, value] : kept.items())
      if (auto i = sent.find(name); i != sent.end())
        if (auto at = find_cut(*i, value))
          return "/" + name + *at;
  return std::nullopt;
}

} // namespace

void detail::check_nothing_was_cut(const json& sent, const json& kept) {
  if (auto at = find_cut(sent, kept))
    throw_bad_argument((at->empty() ? "the value" : "the value at " + *at)
                       + " does not fit its type");
}

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
