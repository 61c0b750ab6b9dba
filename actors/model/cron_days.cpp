#include "actors/model/cron_days.hpp"

#include <string>

#include "actors/model/cron_field.hpp"

namespace troupe {

namespace {

using namespace std::chrono;

constexpr std::string_view weekday_names[] = {"SUN", "MON", "TUE", "WED",
                                              "THU", "FRI", "SAT"};

constexpr cron_field_rule eventbridge_month_days{"day-of-month", 1, 31};

constexpr cron_field_rule crontab_month_days{"day-of-month", 1, 31, {}, 0,
                                             false};

constexpr cron_field_rule eventbridge_weekdays{"day-of-week", 1, 7,
                                               weekday_names, 7};

constexpr cron_field_rule crontab_weekdays{"day-of-week", 0, 7,
                                           weekday_names, 7, false};

unsigned last_day_of(year_month month) {
  return static_cast<unsigned>((month / last).day());
}

/// From Sunday = 0.
unsigned weekday_of(year_month month, unsigned x) {
  return weekday{sys_days{month / day{x}}}.c_encoding();
}

/// The day from Monday to Friday in the same month that is nearest to `x`.
unsigned nearest_working_day(year_month month, unsigned x) {
  switch (weekday_of(month, x)) {
  case 0: // Sunday: the Monday after it
    return x < last_day_of(month) ? x + 1 : x - 2;
  case 6: // Saturday: the Friday before it
    return x > 1 ? x - 1 : x + 2;
  default:
    return x;
  }
}

/// The bit of a week day of EventBridge: a number 1-7 or a name.
size_t weekday_bit(std::string_view text) {
  return static_cast<size_t>(parse_cron_value(text, eventbridge_weekdays) - 1);
}

} // namespace

cron_days::cron_days(cron_syntax syntax, std::string_view of_month,
                     std::string_view of_week) {
  if (syntax == cron_syntax::crontab) {
    // crontab(5): if both fields are restricted, a day is in one of them. A
    // field that begins with * is not restricted, even if there is a step.
    both_ = of_month.starts_with('*') || of_week.starts_with('*');
  } else if ((of_month == "?") == (of_week == "?")) {
    throw cron_field_error{"exactly one of day-of-month and day-of-week must "
                           "be ?"};
  }
  read_of_month(of_month, syntax);
  read_of_week(of_week, syntax);
}

month_days cron_days::in(year_month month) const {
  auto of_month = of_month_in(month);
  auto of_week = of_week_in(month);
  return both_ ? of_month & of_week : of_month | of_week;
}

// -- reading ------------------------------------------------------------------

void cron_days::read_of_month(std::string_view field, cron_syntax syntax) {
  auto crontab = syntax == cron_syntax::crontab;
  auto& rule = crontab ? crontab_month_days : eventbridge_month_days;
  cron_values plain;
  if (field == "?" && !crontab)
    field = "*";
  for_each_part(field, ',', [&](std::string_view item) {
    if (crontab || !read_special_of_month(item))
      parse_cron_item(item, rule, plain);
  });
  for (size_t i = 1; i <= 31; ++i)
    days_[i] = plain[i];
}

bool cron_days::read_special_of_month(std::string_view item) {
  auto& rule = eventbridge_month_days;
  if (item == "L") {
    before_last_.set(0);
  } else if (item == "LW") {
    last_working_ = true;
  } else if (item.starts_with("L-")) {
    auto back = parse_cron_value(item.substr(2), rule);
    if (back > 30)
      fail_cron_field(rule, item, "no month has so many days");
    before_last_.set(static_cast<size_t>(back));
  } else if (item.size() > 1 && item.ends_with('W')) {
    item.remove_suffix(1);
    nearest_working_.set(static_cast<size_t>(parse_cron_value(item, rule)));
  } else {
    return false;
  }
  return true;
}

void cron_days::read_of_week(std::string_view field, cron_syntax syntax) {
  auto crontab = syntax == cron_syntax::crontab;
  auto& rule = crontab ? crontab_weekdays : eventbridge_weekdays;
  cron_values plain;
  if (field == "?" && !crontab)
    field = "*";
  for_each_part(field, ',', [&](std::string_view item) {
    if (crontab || !read_special_of_week(item))
      parse_cron_item(item, rule, plain);
  });
  for (int i = rule.least; i <= rule.most; ++i)
    if (plain[static_cast<size_t>(i)])
      weekdays_.set(static_cast<size_t>(crontab ? i % 7 : i - 1));
}

bool cron_days::read_special_of_week(std::string_view item) {
  auto hash = item.find('#');
  if (hash != std::string_view::npos) {
    cron_field_rule weeks{"day-of-week after #", 1, 5};
    auto n = parse_cron_value(item.substr(hash + 1), weeks);
    nth_[weekday_bit(item.substr(0, hash))].set(static_cast<size_t>(n - 1));
  } else if (item == "L") {
    weekdays_.set(6); // the last day of the week
  } else if (item.size() > 1 && item.ends_with('L')) {
    last_.set(weekday_bit(item.substr(0, item.size() - 1)));
  } else {
    return false;
  }
  return true;
}

// -- one month ----------------------------------------------------------------

month_days cron_days::of_month_in(year_month month) const {
  auto last_day = last_day_of(month);
  month_days result;
  for (unsigned i = 1; i <= last_day; ++i) {
    if (days_[i] || before_last_[last_day - i])
      result.set(i);
    if (nearest_working_[i])
      result.set(nearest_working_day(month, i));
  }
  if (last_working_)
    result.set(nearest_working_day(month, last_day));
  return result;
}

month_days cron_days::of_week_in(year_month month) const {
  auto last_day = last_day_of(month);
  auto weekday = weekday_of(month, 1);
  month_days result;
  for (unsigned i = 1; i <= last_day; ++i, weekday = (weekday + 1) % 7)
    if (weekdays_[weekday] || nth_[weekday][(i - 1) / 7]
        || (last_[weekday] && i + 7 > last_day))
      result.set(i);
  return result;
}

} // namespace troupe
