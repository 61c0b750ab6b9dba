#include "actors/model/cron_field.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>

namespace troupe {

namespace {

bool same_name(std::string_view x, std::string_view y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) == b;
  });
}

int parse_step(std::string_view text, const cron_field_rule& rule) {
  int result = 0;
  auto end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, result);
  if (code != std::errc{} || stop != end || result < 1
      || result > rule.most - rule.least + 1)
    fail_cron_field(rule, text,
                    "a step is a number from 1 to "
                      + std::to_string(rule.most - rule.least + 1));
  return result;
}

struct range {
  int first;
  int last;
};

range parse_range(std::string_view text, const cron_field_rule& rule,
                  bool stepped) {
  if (text == "*")
    return {rule.least,
            rule.cycle > 0 ? rule.least + rule.cycle - 1 : rule.most};
  // The first dash may not be: "-5" is no range.
  auto dash = text.find('-', 1);
  if (dash == std::string_view::npos) {
    auto first = parse_cron_value(text, rule);
    if (stepped && !rule.open_steps)
      fail_cron_field(rule, text, "a step comes after * or a range");
    return {first, stepped ? rule.most : first};
  }
  range result{parse_cron_value(text.substr(0, dash), rule),
               parse_cron_value(text.substr(dash + 1), rule)};
  if (result.last < result.first) {
    if (rule.cycle == 0)
      fail_cron_field(rule, text, "the range ends before it begins");
    result.last += rule.cycle;
  }
  return result;
}

} // namespace

void fail_cron_field(const cron_field_rule& rule, std::string_view text,
                     std::string_view why) {
  throw cron_field_error{std::string{rule.name} + " '" + std::string{text}
                         + "': " + std::string{why}};
}

int parse_cron_value(std::string_view text, const cron_field_rule& rule) {
  auto name = std::find_if(rule.names.begin(), rule.names.end(),
                           [&](auto x) { return same_name(text, x); });
  if (name != rule.names.end())
    return rule.least + static_cast<int>(name - rule.names.begin());
  int result = 0;
  auto end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, result);
  if (code != std::errc{} || stop != end || result < rule.least
      || result > rule.most)
    fail_cron_field(rule, text,
                    "not one of " + std::to_string(rule.least) + "-"
                      + std::to_string(rule.most)
                      + (rule.names.empty() ? "" : ", nor a name"));
  return result;
}

void parse_cron_item(std::string_view text, const cron_field_rule& rule,
                     cron_values& result) {
  auto slash = text.find('/');
  auto stepped = slash != std::string_view::npos;
  auto step = stepped ? parse_step(text.substr(slash + 1), rule) : 1;
  auto [first, last] = parse_range(text.substr(0, slash), rule, stepped);
  for (auto x = first; x <= last; x += step)
    result.set(static_cast<size_t>(x > rule.most ? x - rule.cycle : x));
}

cron_values parse_cron_list(std::string_view text,
                            const cron_field_rule& rule) {
  cron_values result;
  for_each_part(text, ',', [&](std::string_view item) {
    parse_cron_item(item, rule, result);
  });
  return result;
}

} // namespace troupe
