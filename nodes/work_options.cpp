#include "nodes/work_options.hpp"

#include <sstream>
#include <stdexcept>

#include "actors/core/outside.hpp"
#include "nodes/units.hpp"

namespace troupe {

namespace {

work_destination parse_destination(const std::string& text) {
  auto result = work_destination::parse(text);
  if (!result)
    throw std::invalid_argument{result.error().message()};
  return std::move(*result);
}

group_join parse_join(const std::string& text) {
  auto result = parse_group_join(text);
  if (!result)
    throw std::invalid_argument{"join is all or any, not '" + text + "'"};
  return *result;
}

void set_field(work_override& to, const std::string& field) {
  auto colon = field.find(':');
  auto name = field.substr(0, colon);
  auto value = colon == field.npos ? "" : field.substr(colon + 1);
  auto once = [&](auto& slot, auto parsed) {
    if (slot)
      throw std::invalid_argument{"'" + name + "' is given twice"};
    slot = parsed;
  };
  if (name == "attempts")
    once(to.attempts, static_cast<uint32_t>(
                        parse_number(value, 1, defaults::work::attempts_max)));
  else if (name == "pause")
    once(to.pause, parse_duration(value));
  else if (name == "max-pause")
    once(to.pause_max, parse_duration(value));
  else if (name == "age")
    once(to.age, parse_duration(value));
  else if (name == "on-success")
    to.on_success.push_back(parse_destination(value));
  else if (name == "on-failure")
    to.on_failure.push_back(parse_destination(value));
  else if (name == "then")
    to.then.push_back(parse_destination(value));
  else if (name == "join")
    once(to.join, parse_join(value));
  else
    throw std::invalid_argument{
      "'" + name
      + "' is none of attempts, pause, max-pause, age, on-success, "
        "on-failure, join, then"};
}

} // namespace

work_policy work_override::apply(work_policy policy) const {
  policy.attempts_max = attempts.value_or(policy.attempts_max);
  policy.pause = pause.value_or(policy.pause);
  policy.pause_max =
    pause_max.value_or(std::max(policy.pause, policy.pause_max));
  policy.age_max = age.value_or(policy.age_max);
  policy.on_success = on_success;
  policy.on_failure = on_failure;
  policy.join = join;
  policy.then = then;
  return policy;
}

std::pair<std::string, work_override>
parse_work_override(const std::string& text) {
  auto equals = text.find('=');
  auto name = text.substr(0, equals);
  if (equals == text.npos || equals + 1 == text.size())
    throw std::invalid_argument{
      "'" + text
      + "' says nothing; write NAME=attempts:5,age:1h,on-failure:OTHER"};
  if (!is_valid_lane(name))
    throw std::invalid_argument{"'" + name
                                + "' is no name of a function, nor of a "
                                  "service with a slash (counter/), nor "
                                  "scheme and host (https://example.org)"};
  std::pair<std::string, work_override> result{name, {}};
  std::istringstream fields{text.substr(equals + 1)};
  for (std::string field; std::getline(fields, field, ',');)
    set_field(result.second, field);
  if (auto wrong = result.second.apply({}).validate())
    throw std::invalid_argument{"'" + text + "': " + *wrong};
  return result;
}

} // namespace troupe
