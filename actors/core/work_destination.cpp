#include "actors/core/work_destination.hpp"

#include <utility>

#include "actors/core/module.hpp"
#include "actors/core/outside.hpp"

namespace troupe {

namespace {

error no_destination(std::string_view text) {
  return {errc::bad_request,
          "'" + std::string{text}
            + "' is no destination: write FUNCTION, FUNCTION:QUALIFIER, "
              "SERVICE/KEY/METHOD or a URL (http, https, nats, mqtt), where "
              "KEY and what follows a host may have {key} and {id}"};
}

/// Only known names are in braces, so that a mistake is not a key for ever.
bool has_known_names_only(std::string_view pattern) {
  for (auto open = pattern.find('{'); open != pattern.npos;
       open = pattern.find('{', open + 1)) {
    auto rest = pattern.substr(open);
    if (!rest.starts_with("{key}") && !rest.starts_with("{id}"))
      return false;
  }
  return true;
}

expected<work_target> parse_entity(std::string_view text) {
  auto first = text.find('/');
  auto last = text.rfind('/');
  work_target result;
  result.name = text.substr(0, first);
  result.method = text.substr(last + 1);
  if (first != last)
    result.key = text.substr(first + 1, last - first - 1);
  if (!is_valid_name(result.name) || !is_valid_name(result.method)
      || !is_valid_key(result.key) || !has_known_names_only(result.key))
    return no_destination(text);
  return result;
}

expected<work_target> parse_function(std::string_view text) {
  auto colon = text.find(':');
  work_target result;
  result.name = text.substr(0, colon);
  if (colon != text.npos)
    result.qualifier = text.substr(colon + 1);
  if (!is_valid_name(result.name)
      || (colon != text.npos && !is_valid_name(result.qualifier)))
    return no_destination(text);
  return result;
}

expected<work_target> parse_url(std::string_view text) {
  auto result = parse_outside(text);
  if (result && !has_known_names_only(result->key))
    return no_destination(text);
  return result;
}

} // namespace

expected<work_destination> work_destination::parse(std::string_view text) {
  auto target = looks_outside(text)           ? parse_url(text)
                : text.find('/') != text.npos ? parse_entity(text)
                                              : parse_function(text);
  if (!target)
    return target.error();
  return work_destination{std::move(*target)};
}

const std::string& key_of(const work_item& x) noexcept {
  return x.target.is_entity() ? x.target.key : x.routing_key;
}

bool lacks_a_key(const work_target& x) noexcept {
  // Of one that is outside, what a key was put in for has no braces any more.
  return x.is_outside()  ? x.key.find("{key}") != x.key.npos
         : x.is_entity() ? x.key.empty()
                         : false;
}

work_target work_destination::of(const work_item& source) const {
  auto result = pattern_;
  result.key.clear();
  std::string_view rest = pattern_.key;
  while (!rest.empty()) {
    auto open = rest.find('{');
    result.key += rest.substr(0, open);
    if (open == rest.npos)
      break;
    rest.remove_prefix(open);
    auto value =
      rest.starts_with("{key}") ? key_of(source) : troupe::to_string(source.id);
    auto length = rest.find('}') + 1;
    if (!result.is_outside())
      result.key += value;
    else if (value.empty())
      result.key += rest.substr(0, length);
    else
      result.key += outside_part(outside_kind_of(result), value);
    rest.remove_prefix(length);
  }
  return result;
}

} // namespace troupe
