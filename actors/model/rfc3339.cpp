#include "actors/model/rfc3339.hpp"

namespace troupe {

namespace {

/// `x` with zeros in front, `digits` long at least.
std::string padded(unsigned x, size_t digits) {
  auto text = std::to_string(x);
  return text.size() < digits ? std::string(digits - text.size(), '0') + text
                              : text;
}

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

} // namespace troupe
