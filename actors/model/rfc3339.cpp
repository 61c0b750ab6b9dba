#include "actors/model/rfc3339.hpp"

#include <algorithm>
#include <cstddef>

namespace troupe {

namespace {

/// `x` with zeros in front, `digits` long at least.
std::string padded(unsigned x, size_t digits) {
  auto text = std::to_string(x);
  return text.size() < digits ? std::string(digits - text.size(), '0') + text
                              : text;
}

/// Walks over what it finds as it should be.
class reader {
public:
  explicit reader(std::string_view text) noexcept : text_(text) {}

  bool at_end() const noexcept { return text_.empty(); }

  /// So many digits.
  bool number(size_t digits, unsigned& to) noexcept {
    if (text_.size() < digits)
      return false;
    to = 0;
    for (; digits > 0; --digits, text_.remove_prefix(1)) {
      auto c = text_.front();
      if (c < '0' || c > '9')
        return false;
      to = 10 * to + static_cast<unsigned>(c - '0');
    }
    return true;
  }

  /// One of these.
  bool any_of(std::string_view marks) noexcept {
    if (text_.empty() || marks.find(text_.front()) == marks.npos)
      return false;
    text_.remove_prefix(1);
    return true;
  }

  /// Digits, one at least.
  bool digits() noexcept {
    auto end = std::min(text_.find_first_not_of("0123456789"), text_.size());
    text_.remove_prefix(end);
    return end > 0;
  }

private:
  std::string_view text_;
};

} // namespace

std::string to_rfc3339(std::chrono::sys_seconds x) {
  using namespace std::chrono;
  auto day = floor<days>(x);
  year_month_day date{day};
  hh_mm_ss time{x - day};
  auto two = [](auto part) { return padded(static_cast<unsigned>(part), 2); };
  return padded(static_cast<unsigned>(static_cast<int>(date.year())), 4) + "-"
         + two(static_cast<unsigned>(date.month())) + "-"
         + two(static_cast<unsigned>(date.day())) + "T"
         + two(time.hours().count()) + ":" + two(time.minutes().count()) + ":"
         + two(time.seconds().count()) + "Z";
}

bool is_rfc3339(std::string_view text) noexcept {
  using namespace std::chrono;
  reader at{text};
  unsigned year_, month_, day_, hour, minute, second;
  if (!at.number(4, year_) || !at.any_of("-") || !at.number(2, month_)
      || !at.any_of("-") || !at.number(2, day_) || !at.any_of("Tt")
      || !at.number(2, hour) || !at.any_of(":") || !at.number(2, minute)
      || !at.any_of(":") || !at.number(2, second))
    return false;
  if (at.any_of(".") && !at.digits())
    return false;
  unsigned offset_hour = 0, offset_minute = 0;
  if (!at.any_of("Zz")
      && (!at.any_of("+-") || !at.number(2, offset_hour) || !at.any_of(":")
          || !at.number(2, offset_minute)))
    return false;
  auto date = year{static_cast<int>(year_)} / static_cast<int>(month_)
              / static_cast<int>(day_);
  return at.at_end() && date.ok() && hour < 24 && minute < 60 && second <= 60
         && offset_hour < 24 && offset_minute < 60;
}

} // namespace troupe
