#include "nodes/http/map_body.hpp"

#include <algorithm>

#include "actors/core/codec.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/json_pieces.hpp"
#include "actors/core/module.hpp"
#include "actors/core/payload_json.hpp"

namespace troupe {

namespace {

// -- reading -----------------------------------------------------------------

[[noreturn]] void refuse(const std::string& why) {
  throw error_exception{{errc::bad_request, why}};
}

[[noreturn]] void refuse_input(size_t i, const std::string& why) {
  refuse("input " + std::to_string(i) + ": " + why);
}

void check_count(size_t count) {
  if (count > map_inputs_max)
    throw error_exception{
      {errc::payload_too_large,
       "a map takes " + std::to_string(map_inputs_max) + " inputs at most"}};
}

std::vector<std::string_view> read_array(std::string_view text) {
  check_json(text, json_depth_max + 1);
  if (first_of(text) != '[')
    refuse("the inputs of a map are an array, or lines of application/jsonl");
  auto result = elements_of(text);
  check_count(result.size());
  return result;
}

std::string_view trim(std::string_view line) {
  constexpr auto white = " \t\r";
  auto begin = line.find_first_not_of(white);
  if (begin == line.npos)
    return {};
  return line.substr(begin, line.find_last_not_of(white) - begin + 1);
}

std::vector<std::string_view> read_lines(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty())
      continue;
    try {
      check_json(line);
    } catch (const error_exception& e) {
      refuse_input(result.size(), e.reason().message());
    }
    result.push_back(line);
    check_count(result.size());
  }
  return result;
}

/// What a JSON string says.
std::string text_of(std::string_view value, const char* what) {
  if (!value.starts_with('"'))
    throw error_exception{
      {errc::bad_request, std::string{"\""} + what + "\" is a string"}};
  return parse_json(value).get<std::string>();
}

void read_member(map_input& to, const std::string& name,
                 std::string_view value) {
  if (name == "key")
    to.key = text_of(value, "key");
  else if (name == "body")
    to.body = value;
  else if (name == "idempotencyKey")
    to.idempotency_key = text_of(value, "idempotencyKey");
  else
    refuse("there is no member \"" + name
           + "\": there are key, body and idempotencyKey");
  if (name == "idempotencyKey" && !is_valid_idempotency_key(to.idempotency_key))
    refuse("\"idempotencyKey\" is 1 to 255 bytes of visible ASCII");
}

map_input read_entity(std::string_view text) {
  map_input result;
  if (text.front() == '"') {
    result.key = text_of(text, "key");
  } else if (text.front() == '{') {
    std::vector<std::string> seen;
    for (auto& [quoted, value] : members_of(text)) {
      auto name = text_of(quoted, "a name");
      if (std::find(seen.begin(), seen.end(), name) != seen.end())
        refuse("\"" + name + "\" is there more than once");
      read_member(result, name, value);
      seen.push_back(std::move(name));
    }
  } else {
    refuse("it is neither a key nor an object with \"key\"");
  }
  if (!is_valid_key(result.key))
    refuse("a key is 1 to 512 bytes of UTF-8");
  return result;
}

// -- writing -----------------------------------------------------------------

void append(std::string& to, const expected<payload>& outcome) {
  if (!outcome) {
    to.append("{\"error\":").append(outcome.error().to_json()).append("}");
  } else {
    to.push_back('{');
    append_payload(to, "result", *outcome);
    to.push_back('}');
  }
}

} // namespace

std::shared_ptr<const map_inputs> read_inputs(std::string text,
                                              const map_format& format) {
  auto result = std::make_shared<map_inputs>();
  result->text = std::move(text);
  auto pieces =
    format.lines ? read_lines(result->text) : read_array(result->text);
  result->items.reserve(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!format.entities) {
      result->items.push_back({pieces[i], {}, {}});
      continue;
    }
    try {
      result->items.push_back(read_entity(pieces[i]));
    } catch (const error_exception& e) {
      refuse_input(i, e.reason().message());
    }
  }
  return result;
}

std::string
write_outcomes(const std::vector<std::optional<expected<payload>>>& outcomes) {
  size_t failed = 0;
  size_t bytes = 64;
  for (auto& x : outcomes) {
    failed += !*x;
    bytes += 32 + (*x ? (*x)->bytes.size() : 0);
  }
  std::string result;
  result.reserve(bytes);
  result.append("{\"count\":").append(std::to_string(outcomes.size()));
  result.append(",\"failed\":").append(std::to_string(failed));
  result.append(",\"results\":[");
  for (auto& x : outcomes) {
    if (&x != outcomes.data())
      result += ',';
    append(result, *x);
  }
  result.append("]}");
  return result;
}

} // namespace troupe
