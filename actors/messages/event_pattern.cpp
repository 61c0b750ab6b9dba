#include "actors/messages/event_pattern.hpp"

#include <utility>

namespace troupe {

namespace {

constexpr std::string_view key_mark = "{key}";

constexpr char separator = '/';

} // namespace

parsed<event_pattern> event_pattern::parse(std::string_view text) {
  if (text.empty() || text.size() > length_max)
    return parse_error{"a pattern is 1 to 256 bytes"};
  event_pattern result;
  result.text_ = text;
  auto& to = result.elements_;
  while (!text.empty()) {
    if (text.starts_with(key_mark)) {
      if (result.has_key_)
        return parse_error{"{key} may be there once"};
      result.has_key_ = true;
      to.push_back({kind::key_begin});
      to.push_back({kind::key_rest});
      text.remove_prefix(key_mark.size());
      continue;
    }
    if (text.front() == '{' || text.front() == '}')
      return parse_error{"of braces there is only {key}"};
    if (text.front() != '*')
      to.push_back({kind::one, text.front()});
    else if (to.empty() || to.back().what != kind::any)
      to.push_back({kind::any});
    text.remove_prefix(1);
  }
  return result;
}

/// All ways at once, one byte after the other, the best first: so nothing is
/// looked at twice.
class event_pattern::walk {
public:
  explicit walk(const std::vector<element>& elements)
    : elements_(elements), seen_(elements.size() + 1) {
    enter({}, 0);
  }

  void step(char c, size_t position) {
    auto ways = std::exchange(ways_, {});
    seen_.assign(seen_.size(), false);
    for (auto x : ways) {
      if (x.at == elements_.size())
        continue;
      auto& element = elements_[x.at];
      switch (element.what) {
      case kind::one:
        if (c == element.byte)
          enter({x.at + 1, x.begin, x.end}, position + 1);
        break;
      case kind::any:
        enter(x, position + 1);
        break;
      case kind::key_begin:
        if (c != separator)
          enter({x.at + 1, position, position}, position + 1);
        break;
      case kind::key_rest:
        if (c != separator)
          enter(x, position + 1);
        break;
      }
    }
  }

  bool is_lost() const noexcept { return ways_.empty(); }

  std::optional<way> end() const {
    for (auto& x : ways_)
      if (x.at == elements_.size())
        return x;
    return std::nullopt;
  }

private:
  /// What may stand for nothing more is left at once: that is the better way.
  void enter(way x, size_t position) {
    if (seen_[x.at])
      return;
    seen_[x.at] = true;
    auto is_key =
      x.at < elements_.size() && elements_[x.at].what == kind::key_rest;
    if (is_key)
      enter({x.at + 1, x.begin, position}, position);
    else if (x.at < elements_.size() && elements_[x.at].what == kind::any)
      enter({x.at + 1, x.begin, x.end}, position);
    ways_.push_back(x);
  }

  const std::vector<element>& elements_;
  std::vector<bool> seen_;
  std::vector<way> ways_;
};

std::optional<event_pattern::way>
event_pattern::find(std::string_view value) const {
  walk all{elements_};
  for (size_t i = 0; i < value.size() && !all.is_lost(); ++i)
    all.step(value[i], i);
  return all.end();
}

bool event_pattern::matches(std::string_view value) const {
  return find(value).has_value();
}

std::optional<std::string> event_pattern::key_of(std::string_view value) const {
  auto found = find(value);
  if (!has_key_ || !found)
    return std::nullopt;
  return std::string{value.substr(found->begin, found->end - found->begin)};
}

} // namespace troupe
