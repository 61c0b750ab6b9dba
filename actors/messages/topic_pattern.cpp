#include "actors/messages/topic_pattern.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// As brokers have it: MQTT 5, 4.7.3.
constexpr size_t length_max = 65'535;

constexpr std::string_view key_mark = "{key}";

struct wildcards {
  char separator;
  std::string_view one;
  std::string_view rest;
};

constexpr wildcards wildcards_of(topic_style style) noexcept {
  switch (style) {
  case topic_style::mqtt:
    return {'/', "+", "#"};
  case topic_style::nats:
    return {'.', "*", ">"};
  }
  return {'/', "+", "#"};
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> result;
  for (;;) {
    auto end = text.find(separator);
    result.push_back(text.substr(0, end));
    if (end == text.npos)
      return result;
    text.remove_prefix(end + 1);
  }
}

/// What is wrong with a level that is none of the wildcards; empty: nothing.
std::string fault_of(std::string_view level, topic_style style) {
  auto marks = wildcards_of(style);
  auto name = "'" + std::string{level} + "'";
  if (level.find(marks.one) != level.npos
      || level.find(marks.rest) != level.npos)
    return name + ": a wildcard is a level of its own";
  if (level.find_first_of("{}") != level.npos)
    return name + ": of braces there is only {key}, as a level of its own";
  if (level.find('\0') != level.npos)
    return name + ": a topic has no byte 0";
  if (style == topic_style::nats
      && (level.empty() || level.find_first_of(" \t\r\n") != level.npos))
    return name + ": a token of a subject is not empty and has no blanks";
  return {};
}

} // namespace

parsed<topic_pattern> topic_pattern::parse(std::string_view text,
                                           topic_style style) {
  if (text.empty() || text.size() > length_max)
    return parse_error{"a topic is 1 to 65535 bytes"};
  if (style == topic_style::mqtt && text.starts_with("$share/"))
    return parse_error{"a shared subscription is written as group:NAME"};
  auto marks = wildcards_of(style);
  topic_pattern result;
  result.style_ = style;
  result.text_ = text;
  auto levels = split(text, marks.separator);
  for (size_t i = 0; i < levels.size(); ++i) {
    auto level = levels[i];
    if (level == key_mark) {
      if (result.key_)
        return parse_error{"{key} may be there once"};
      result.key_ = i;
      level = marks.one;
    } else if (level == marks.rest) {
      if (i + 1 < levels.size())
        return parse_error{"'" + std::string{marks.rest}
                           + "' is the last level"};
    } else if (level != marks.one) {
      if (auto fault = fault_of(level, style); !fault.empty())
        return parse_error{fault};
    }
    if (i > 0)
      result.filter_ += marks.separator;
    result.filter_ += level;
    result.levels_.emplace_back(level);
  }
  return result;
}

bool topic_pattern::matches(std::string_view topic) const {
  auto marks = wildcards_of(style_);
  // Topics of the broker's own are not for those who ask for everything.
  if (style_ == topic_style::mqtt && topic.starts_with('$')
      && (levels_[0] == marks.one || levels_[0] == marks.rest))
    return false;
  auto there = split(topic, marks.separator);
  auto is_empty = [](std::string_view x) { return x.empty(); };
  if (style_ == topic_style::nats
      && std::any_of(there.begin(), there.end(), is_empty))
    return false;
  for (size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i] == marks.rest)
      return style_ == topic_style::mqtt || i < there.size();
    if (i >= there.size()
        || (levels_[i] != marks.one && levels_[i] != there[i]))
      return false;
  }
  return there.size() == levels_.size();
}

std::optional<std::string> topic_pattern::key_of(std::string_view topic) const {
  if (!key_ || !matches(topic))
    return std::nullopt;
  return std::string{split(topic, wildcards_of(style_).separator)[*key_]};
}

} // namespace troupe
