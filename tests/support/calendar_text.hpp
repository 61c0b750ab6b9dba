// Moments as tests write and read them: "2026-03-29T03:00+02:00".

#pragma once

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "actors/model/time_zone.hpp"

namespace troupe {

/// @throws std::invalid_argument if `text` is something else
inline std::chrono::sys_seconds moment(const std::string& text) {
  using namespace std::chrono;
  int y, offset_h, offset_m;
  unsigned mo, d;
  int h, mi;
  char sign;
  if (std::sscanf(text.c_str(), "%d-%u-%uT%d:%d%c%d:%d", &y, &mo, &d, &h, &mi,
                  &sign, &offset_h, &offset_m)
      != 8)
    throw std::invalid_argument{"no moment: " + text};
  auto offset = (sign == '-' ? -1 : 1) * (hours{offset_h} + minutes{offset_m});
  return sys_days{year{y} / month{mo} / day{d}} + hours{h} + minutes{mi}
         - offset;
}

/// As clocks show it in a zone; seconds only if there are some.
inline std::string shown(const time_zone& zone, std::chrono::sys_seconds x) {
  using namespace std::chrono;
  auto offset = zone.period_at(x).offset;
  auto local = x + offset;
  auto date = floor<days>(local);
  year_month_day ymd{date};
  hh_mm_ss time{local - date};
  hh_mm_ss away{abs(offset)};
  char seconds[8] = "";
  if (time.seconds().count() != 0)
    std::snprintf(seconds, sizeof seconds, ":%02d",
                  static_cast<int>(time.seconds().count() % 60));
  char result[64];
  std::snprintf(result, sizeof result, "%04d-%02u-%02uT%02d:%02d%s%c%02d:%02d",
                static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()),
                static_cast<unsigned>(ymd.day()),
                static_cast<int>(time.hours().count() % 100),
                static_cast<int>(time.minutes().count() % 60), seconds,
                offset.count() < 0 ? '-' : '+',
                static_cast<int>(away.hours().count() % 100),
                static_cast<int>(away.minutes().count() % 60));
  return result;
}

} // namespace troupe
