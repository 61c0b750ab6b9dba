#include "actors/work/schedule_spec.hpp"

#include "actors/core/module.hpp"

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw error_exception{{errc::bad_request, why}};
}

std::string text_of(const json& x, const std::string& member) {
  if (!x.is_string())
    refuse("'" + member + "' of a schedule is a text");
  return x.get<std::string>();
}

uint8_t priority_of(const json& x) {
  if (!x.is_number_unsigned() || x.get<uint64_t>() > work_priority_max)
    refuse("'priority' of a schedule is 0 to 9");
  return x.get<uint8_t>();
}

missed_firings missed_of(const json& x) {
  auto result = parse_missed_firings(text_of(x, "missed"));
  if (!result)
    refuse("'missed' of a schedule is skip, once or all");
  return *result;
}

std::string input_of(const json& x) {
  if (x.is_null())
    return {};
  auto result = dump_json(x);
  if (result.size() > schedule_spec::input_max)
    throw error_exception{
      {errc::payload_too_large, "the input of a schedule has "
                                  + std::to_string(schedule_spec::input_max)
                                  + " bytes at most"}};
  return result;
}

void read_member(const std::string& name, const json& x, schedule_spec& to) {
  if (name == "expression")
    to.expression = text_of(x, name);
  else if (name == "zone")
    to.zone = text_of(x, name);
  else if (name == "target")
    to.target = parse_work_target(text_of(x, name));
  else if (name == "input")
    to.input = input_of(x);
  else if (name == "missed")
    to.missed = missed_of(x);
  else if (name == "priority")
    to.priority = priority_of(x);
  else
    refuse("a schedule has no '" + name
           + "': it has expression, zone, target, input, missed and priority");
}

} // namespace

work_target parse_work_target(const std::string& text) {
  work_target result;
  auto first = text.find('/');
  auto last = text.rfind('/');
  if (first == std::string::npos) {
    auto colon = std::min(text.find(':'), text.size());
    result.name = text.substr(0, colon);
    if (colon < text.size())
      result.qualifier = text.substr(colon + 1);
    if (is_valid_name(result.name)
        && (colon == text.size() || is_valid_name(result.qualifier)))
      return result;
  } else if (first < last) {
    result.name = text.substr(0, first);
    result.key = text.substr(first + 1, last - first - 1);
    result.method = text.substr(last + 1);
    if (is_valid_name(result.name) && is_valid_key(result.key)
        && is_valid_name(result.method))
      return result;
  }
  refuse("a target is a function, or service/key/method, not '" + text + "'");
}

void from_json(const json& from, schedule_spec& to) {
  if (!from.is_object())
    refuse("a schedule is a JSON object");
  to = {};
  for (auto& [name, x] : from.items())
    read_member(name, x, to);
  if (to.expression.empty() || to.target.name.empty())
    refuse("a schedule has an expression and a target");
}

void to_json(json& to, const schedule_spec& from) {
  to = {{"expression", from.expression},    {"zone", from.zone},
        {"target", to_string(from.target)}, {"input", nullptr},
        {"missed", to_string(from.missed)}, {"priority", from.priority}};
  if (!from.input.empty())
    to["input"] = parse_json(from.input);
}

} // namespace troupe
