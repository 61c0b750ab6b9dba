#include "actors/messages/event_pattern.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr std::string_view key_mark = "{key}";

constexpr char separator = '/';

constexpr auto npos = std::string_view::npos;

/// Where `what` begins that ends at `end` or before, as late as it can be.
size_t find_last(std::string_view in, std::string_view what, size_t end) {
  return end < what.size() ? npos : in.rfind(what, end - what.size());
}

} // namespace

parsed<event_pattern> event_pattern::parse(std::string_view text) {
  if (text.empty() || text.size() > length_max)
    return parse_error{"a pattern is 1 to 256 bytes"};
  event_pattern result;
  result.text_ = text;
  auto to = &result.head_;
  while (!text.empty()) {
    if (text.starts_with(key_mark)) {
      if (result.has_key_)
        return parse_error{"{key} may be there once"};
      result.has_key_ = true;
      to = &result.tail_;
      text.remove_prefix(key_mark.size());
      continue;
    }
    if (text.front() == '{' || text.front() == '}')
      return parse_error{"of braces there is only {key}"};
    if (text.front() != '*')
      to->back() += text.front();
    else if (to->size() == 1 || !to->back().empty())
      to->emplace_back();
    text.remove_prefix(1);
  }
  return result;
}

bool event_pattern::matches(std::string_view value) const {
  return has_key_ ? find_key(value).has_value() : matches_head(value);
}

std::optional<std::string> event_pattern::key_of(std::string_view value) const {
  auto found = has_key_ ? find_key(value) : std::nullopt;
  if (!found)
    return std::nullopt;
  return std::string{value.substr(found->begin, found->end - found->begin)};
}

/// What is between two stars is taken where it comes first: whatever else would
/// do leaves less for what follows.
bool event_pattern::matches_head(std::string_view value) const {
  auto& last = head_.back();
  if (head_.size() == 1)
    return value == last;
  auto begin = first_end(value);
  return begin != npos && value.size() - begin >= last.size()
         && value.ends_with(last);
}

size_t event_pattern::first_end(std::string_view value) const {
  if (!value.starts_with(head_.front()))
    return npos;
  auto result = head_.front().size();
  for (size_t i = 1; i + 1 < head_.size(); ++i) {
    auto at = value.find(head_[i], result);
    if (at == npos)
      return npos;
    result = at + head_[i].size();
  }
  return result;
}

size_t event_pattern::last_begin(std::string_view value) const {
  if (!value.ends_with(tail_.back()))
    return npos;
  auto result = value.size() - tail_.back().size();
  for (size_t i = tail_.size() - 2; i > 0; --i) {
    result = find_last(value, tail_[i], result);
    if (result == npos)
      return npos;
  }
  return result;
}

/// The ends of what may stand before a key.
class event_pattern::begins {
public:
  begins(const event_pattern& of, std::string_view value)
    : last_(of.head_.back()), value_(value) {
    is_fixed_ = of.head_.size() == 1;
    if (is_fixed_)
      first_ = value.starts_with(last_) ? last_.size() : npos;
    else
      first_ = of.first_end(value);
  }

  /// The first at `from` or after it.
  size_t next(size_t from) const {
    if (first_ == npos)
      return npos;
    if (is_fixed_)
      return from <= first_ ? first_ : npos;
    auto least = from < last_.size() ? 0 : from - last_.size();
    auto at = value_.find(last_, std::max(first_, least));
    return at == npos ? npos : at + last_.size();
  }

private:
  const std::string_view last_; // after the last star
  const std::string_view value_;
  bool is_fixed_ = false;
  size_t first_ = npos; // the only one, or where the last part may begin
};

/// The beginnings of what may stand behind a key.
class event_pattern::ends {
public:
  ends(const event_pattern& of, std::string_view value)
    : first_(of.tail_.front()), value_(value) {
    is_fixed_ = of.tail_.size() == 1;
    if (is_fixed_)
      last_ = value.ends_with(first_) ? value.size() - first_.size() : npos;
    else
      last_ = of.last_begin(value);
  }

  /// The first at `from` or after it; from call to call it does not fall.
  size_t next(size_t from) {
    if (last_ == npos)
      return npos;
    if (is_fixed_)
      return from <= last_ ? last_ : npos;
    if (at_ < from || !was_asked_)
      at_ = value_.find(first_, from);
    was_asked_ = true;
    return at_ == npos || at_ + first_.size() > last_ ? npos : at_;
  }

private:
  const std::string_view first_; // before the first star
  const std::string_view value_;
  bool is_fixed_ = false;
  bool was_asked_ = false;
  size_t last_ = npos; // the only one, or where the first part must have ended
  size_t at_ = 0;
};

/// The places where a key may begin and where one may end, each from the first
/// on: of the pairs without a separator between them the first is wanted. No
/// place is looked at twice.
std::optional<event_pattern::place>
event_pattern::find_key(std::string_view value) const {
  begins from{*this, value};
  ends to{*this, value};
  for (auto begin = from.next(0); begin != npos; begin = from.next(begin + 1)) {
    auto slash = std::min(value.find(separator, begin), value.size());
    auto end = to.next(begin + 1);
    if (end == npos)
      return std::nullopt;
    if (end <= slash)
      return place{begin, end};
    // A key that begins before the slash ends before it.
    begin = slash;
  }
  return std::nullopt;
}

} // namespace troupe
