// Random cron expressions against a walk over every minute of a year. The walk
// asks nobody what an expression means: each field is drawn as a text together
// with what it stands for. Local times come from cctz minute by minute, without
// the periods of a zone.

#include <chrono>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include <cctz/time_zone.h>
#include <gtest/gtest.h>

#include "actors/model/schedule.hpp"
#include "nodes/time_zones.hpp"
#include "tests/support/calendar_text.hpp"

namespace troupe {
namespace {

using namespace std::chrono;

using rng = std::mt19937_64;

int between(rng& random, int least, int most) {
  return std::uniform_int_distribution{least, most}(random);
}

// -- drawn expressions -------------------------------------------------------

/// A field, and what it stands for.
struct drawn_field {
  std::string text;
  std::function<bool(int)> meant;
  bool open_step = false;
};

drawn_field draw_field(rng& random, int least, int most) {
  auto a = between(random, least, most), b = between(random, least, most);
  auto n = between(random, 1, (most - least + 1) / 2);
  auto s = [](int x) { return std::to_string(x); };
  switch (between(random, 0, 5)) {
  case 0:
    return {"*", [](int) { return true; }};
  case 1:
    return {"*/" + s(n), [=](int x) { return (x - least) % n == 0; }, true};
  case 2:
    return {s(a) + "/" + s(n),
            [=](int x) { return x >= a && (x - a) % n == 0; }, true};
  case 3: // over the end if b is before a
    return {s(a) + "-" + s(b), [=](int x) {
              return a <= b ? a <= x && x <= b : x >= a || x <= b;
            }};
  case 4:
    return {s(a) + "," + s(b), [=](int x) { return x == a || x == b; }};
  default:
    return {s(a), [=](int x) { return x == a; }};
  }
}

using day_test = std::function<bool(year_month_day)>;

int last_of(year_month_day x) {
  year_month_day_last last{x.year(), month_day_last{x.month()}};
  return static_cast<int>(static_cast<unsigned>(last.day()));
}

int day_of(year_month_day x) {
  return static_cast<int>(static_cast<unsigned>(x.day()));
}

/// 1 is Sunday.
int weekday_of(year_month_day x) {
  return static_cast<int>(weekday{sys_days{x}}.c_encoding()) + 1;
}

/// Is `x` the working day of its month that is nearest to day `n`?
bool is_nearest_working(year_month_day x, int n) {
  if (n > last_of(x))
    return false;
  for (int away = 0; away < 3; ++away)
    for (auto candidate : {n - away, n + away}) {
      if (candidate < 1 || candidate > last_of(x))
        continue;
      auto other = x.year() / x.month() / day{static_cast<unsigned>(candidate)};
      if (weekday_of(other) != 1 && weekday_of(other) != 7)
        return candidate == day_of(x);
    }
  return false;
}

struct drawn_days {
  std::string of_month;
  std::string of_week;
  day_test meant;
};

drawn_days draw_days(rng& random) {
  auto n = between(random, 1, 28), w = between(random, 1, 7),
       k = between(random, 1, 5);
  auto a = between(random, 1, 7), b = between(random, 1, 7);
  auto s = [](int x) { return std::to_string(x); };
  switch (between(random, 0, 9)) {
  case 0:
    return {"L", "?", [](auto x) { return day_of(x) == last_of(x); }};
  case 1:
    return {"L-" + s(n), "?",
            [=](auto x) { return day_of(x) == last_of(x) - n; }};
  case 2:
    n = n > 14 ? n + 3 : n; // 1-14 and 18-31: both ends of a month
    return {s(n) + "W", "?", [=](auto x) { return is_nearest_working(x, n); }};
  case 3:
    return {"LW", "?",
            [](auto x) { return is_nearest_working(x, last_of(x)); }};
  case 4:
    return {"?", s(w) + "#" + s(k), [=](auto x) {
              return weekday_of(x) == w && (day_of(x) + 6) / 7 == k;
            }};
  case 5:
    return {"?", s(w) + "L", [=](auto x) {
              return weekday_of(x) == w && day_of(x) + 7 > last_of(x);
            }};
  case 6:
    return {"?", s(a) + "-" + s(b), [=](auto x) {
              auto d = weekday_of(x);
              return a <= b ? a <= d && d <= b : d >= a || d <= b;
            }};
  case 7:
    return {s(n) + "," + s(n + 3), "?",
            [=](auto x) { return day_of(x) == n || day_of(x) == n + 3; }};
  default:
    return {"*", "?", [](auto) { return true; }};
  }
}

struct drawn_cron {
  std::string text;
  std::function<bool(local_time<minutes>)> meant;
  bool hourly;
};

drawn_cron draw_cron(rng& random) {
  auto minute = draw_field(random, 0, 59), hour = draw_field(random, 0, 23),
       month = draw_field(random, 1, 12);
  if (between(random, 0, 1)) // else a whole year has too few firings
    month = {"*", [](int) { return true; }};
  auto days = draw_days(random);
  auto every_hour = true;
  for (int i = 0; i < 24; ++i)
    every_hour &= hour.meant(i);
  auto meant = [=](local_time<minutes> x) {
    auto date = floor<std::chrono::days>(x);
    auto time = static_cast<int>((x - date).count());
    year_month_day ymd{date};
    return minute.meant(time % 60) && hour.meant(time / 60)
           && month.meant(static_cast<int>(static_cast<unsigned>(ymd.month())))
           && days.meant(ymd);
  };
  return {"cron(" + minute.text + " " + hour.text + " " + days.of_month + " "
            + month.text + " " + days.of_week + " *)",
          meant, every_hour || hour.open_step};
}

// -- the walk ----------------------------------------------------------------

/// What clocks show on every minute of a year, from the minute before it on.
std::vector<local_time<minutes>> clocks(const std::string& zone,
                                        sys_time<minutes> from) {
  cctz::time_zone z;
  if (!cctz::load_time_zone(zone, &z))
    throw std::invalid_argument{zone};
  std::vector<local_time<minutes>> result;
  for (int i = -1; i < 366 * 24 * 60; ++i) {
    auto cs = z.lookup(time_point_cast<seconds>(from + minutes{i})).cs;
    result.push_back(local_days{year{static_cast<int>(cs.year())}
                                / month{static_cast<unsigned>(cs.month())}
                                / day{static_cast<unsigned>(cs.day())}}
                     + hours{cs.hour()} + minutes{cs.minute()});
  }
  return result;
}

/// The firings of that year, by the rules of schedule.hpp.
std::vector<sys_seconds> walk(const drawn_cron& of,
                              const std::vector<local_time<minutes>>& shown,
                              sys_time<minutes> from) {
  std::vector<sys_seconds> result;
  auto latest = shown[0]; // that clocks have ever shown
  for (size_t i = 1; i < shown.size(); ++i) {
    auto fires = of.meant(shown[i]);
    if (!of.hourly) {
      fires = fires && shown[i] > latest;
      for (auto x = latest + minutes{1}; x < shown[i]; x += minutes{1})
        fires |= of.meant(x);
    }
    latest = std::max(latest, shown[i]);
    if (fires)
      result.push_back(from + minutes{i - 1});
  }
  return result;
}

struct walked_year {
  const char* zone;
  int year;
};

constexpr walked_year walked_years[] = {
  {"Europe/Berlin", 2026},       {"America/New_York", 2026},
  {"Australia/Lord_Howe", 2026}, {"Africa/Cairo", 2025},
  {"Pacific/Apia", 2011},        {"America/St_Johns", 2006},
  {"Asia/Kathmandu", 2028},      {"UTC", 2028},
};

TEST(cron_walk, every_firing_of_a_year_is_found_once_and_in_order) {
  constexpr uint64_t seed = 20260329;
  std::cout << "seed " << seed << '\n';
  rng random{seed};
  size_t firings = 0, expressions = 0, silent = 0;
  for (auto& [zone, y] : walked_years) {
    auto loaded = load_time_zone(zone);
    ASSERT_TRUE(loaded) << loaded.reason();
    sys_time<minutes> from = sys_days{year{y} / 1 / 1};
    auto shown = clocks(zone, from);
    for (int i = 0; i < 60; ++i) {
      auto drawn = draw_cron(random);
      auto expected = walk(drawn, shown, from);
      auto of = parse_schedule(drawn.text, {*loaded, {}});
      if (!of) { // 30 February and the like
        EXPECT_NE(of.reason().find("never"), std::string::npos) << of.reason();
        EXPECT_TRUE(expected.empty()) << drawn.text;
        continue;
      }
      auto due = of->due_between(from - 1s, from + days{366} - 1s, 600'000);
      ASSERT_FALSE(due.more);
      ASSERT_EQ(due.times, expected) << drawn.text << " in " << zone;
      firings += expected.size();
      silent += expected.empty();
      ++expressions;
    }
  }
  std::cout << expressions << " expressions, " << firings << " firings, "
            << silent << " that do not fire in their year\n";
  EXPECT_GT(expressions, 400u);
  EXPECT_LT(silent, expressions / 3);
}

TEST(cron_walk, the_next_firing_is_the_same_from_wherever_it_is_looked_for) {
  constexpr uint64_t seed = 20261025;
  std::cout << "seed " << seed << '\n';
  rng random{seed};
  for (auto& [zone, y] : walked_years) {
    auto loaded = load_time_zone(zone);
    ASSERT_TRUE(loaded) << loaded.reason();
    sys_seconds from = sys_days{year{y} / 1 / 1};
    for (int i = 0; i < 40; ++i) {
      auto drawn = draw_cron(random);
      auto of = parse_schedule(drawn.text, {*loaded, {}});
      if (!of)
        continue;
      for (int j = 0; j < 50; ++j) {
        auto t = from + seconds{between(random, 0, 366 * 86'400)};
        auto next = of->next_after(t);
        if (!next)
          continue;
        ASSERT_GT(*next, t) << drawn.text << " in " << zone;
        // From anywhere before it, it is the next one; so nothing is between.
        auto way = static_cast<int>((*next - t).count());
        auto later = t + seconds{between(random, 0, way - 1)};
        ASSERT_EQ(of->next_after(later), next)
          << drawn.text << " in " << zone << " after "
          << troupe::shown(**loaded, later);
        ASSERT_EQ(of->next_after(*next - 1s), next);
        ASSERT_EQ(of->last_between(t, *next), next);
      }
    }
  }
}

} // namespace
} // namespace troupe
