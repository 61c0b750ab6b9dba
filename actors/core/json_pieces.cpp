#include "actors/core/json_pieces.hpp"

#include <algorithm>
#include <set>

#include "actors/core/codec.hpp"
#include "actors/core/errors.hpp"

namespace troupe {

namespace {

constexpr std::string_view white = " \t\r\n";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Walks over text that was found to be JSON. Never behind its end, even if it
/// is none.
class walker {
public:
  explicit walker(std::string_view text) : text_(text) {
    if (text_.starts_with(byte_order_mark))
      text_.remove_prefix(byte_order_mark.size());
    skip_white();
  }

  /// 0 at the end.
  char front() const noexcept { return text_.empty() ? '\0' : text_.front(); }

  /// One byte, and white space behind it.
  void skip() noexcept {
    text_.remove_prefix(std::min<size_t>(1, text_.size()));
    skip_white();
  }

  /// The value that begins here, and white space behind it.
  std::string_view value() noexcept {
    auto begin = text_;
    if (front() == '"')
      skip_string();
    else if (front() == '[' || front() == '{')
      skip_nested();
    else
      drop(text_.find_first_of(",]} \t\r\n"));
    begin.remove_suffix(text_.size());
    skip_white();
    return begin;
  }

private:
  void drop(size_t count) noexcept {
    text_.remove_prefix(std::min(count, text_.size()));
  }

  void skip_white() noexcept { drop(text_.find_first_not_of(white)); }

  void skip_string() noexcept {
    size_t i = 1;
    while (i < text_.size() && text_[i] != '"')
      i += text_[i] == '\\' ? 2 : 1;
    drop(i + 1);
  }

  void skip_nested() noexcept {
    size_t depth = 0;
    do {
      auto c = front();
      if (c == '"') {
        skip_string();
        continue;
      }
      depth += c == '[' || c == '{';
      depth -= c == ']' || c == '}';
      drop(1);
    } while (depth > 0 && !text_.empty());
  }

  std::string_view text_;
};

} // namespace

std::vector<std::string_view> elements_of(std::string_view array) {
  std::vector<std::string_view> result;
  walker at{array};
  at.skip();
  while (at.front() != ']' && at.front() != '\0') {
    auto value = at.value();
    if (value.empty())
      break; // no JSON
    result.push_back(value);
    if (at.front() == ',')
      at.skip();
  }
  return result;
}

std::vector<std::pair<std::string_view, std::string_view>>
members_of(std::string_view object) {
  std::vector<std::pair<std::string_view, std::string_view>> result;
  walker at{object};
  at.skip();
  while (at.front() != '}' && at.front() != '\0') {
    auto name = at.value();
    if (name.empty())
      break;   // no JSON
    at.skip(); // the colon
    result.emplace_back(name, at.value());
    if (at.front() == ',')
      at.skip();
  }
  return result;
}

std::vector<std::pair<std::string, std::string_view>>
single_members_of(std::string_view object, const std::string& what) {
  std::vector<std::pair<std::string, std::string_view>> result;
  std::set<std::string> seen;
  for (auto& [quoted, value] : members_of(object)) {
    auto name = parse_json(quoted).get<std::string>();
    if (!seen.insert(name).second)
      throw error_exception{
        {errc::bad_request, what + " has '" + name + "' twice"}};
    result.emplace_back(std::move(name), value);
  }
  return result;
}

char first_of(std::string_view json) noexcept {
  return walker{json}.front();
}

} // namespace troupe
