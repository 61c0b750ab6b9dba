#include "actors/model/cron.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "actors/model/cron_field.hpp"

namespace troupe {

namespace {

using namespace std::chrono;

constexpr std::string_view month_names[] = {"JAN", "FEB", "MAR", "APR",
                                            "MAY", "JUN", "JUL", "AUG",
                                            "SEP", "OCT", "NOV", "DEC"};

/// Splits at blanks and tabs.
std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  std::vector<std::string_view> result;
  auto begin = text.find_first_not_of(blanks);
  while (begin != std::string_view::npos) {
    auto end = std::min(text.find_first_of(blanks, begin), text.size());
    result.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(blanks, end);
  }
  return result;
}

template <size_t N>
void read_field(std::string_view text, cron_field_rule rule, cron_syntax syntax,
                std::bitset<N>& result) {
  rule.open_steps = syntax == cron_syntax::eventbridge;
  auto values = parse_cron_list(text, rule);
  for (size_t i = 0; i < N; ++i)
    result[i] = values[i];
}

/// Is there a step without an end: "*/2", "1/2"?
bool has_open_step(std::string_view hours) {
  auto result = false;
  for_each_part(hours, ',', [&](std::string_view item) {
    result |= item.find('/') != std::string_view::npos
              && item.find('-') == std::string_view::npos;
  });
  return result;
}

} // namespace

cron::cron(cron_syntax syntax, const std::string_view* fields)
  : days_{syntax, fields[2], fields[4]} {
  read_field(fields[0], {"minutes", 0, 59, {}, 60}, syntax, minutes_);
  read_field(fields[1], {"hours", 0, 23, {}, 24}, syntax, hours_);
  read_field(fields[3], {"month", 1, 12, month_names, 12}, syntax, months_);
  if (syntax == cron_syntax::eventbridge)
    read_field(fields[5], {"year", first_year, last_year}, syntax, years_);
  else
    read_field("*", {"year", first_year, last_year}, syntax, years_);
  hourly_ = hours_.all() || has_open_step(fields[1]);
}

bool cron::meant(year_month month) const {
  return years_[static_cast<size_t>(static_cast<int>(month.year()))]
         && months_[static_cast<unsigned>(month.month())];
}

std::optional<minutes> cron::next_time_of_day(minutes from) const {
  auto minute = static_cast<size_t>(from.count() % 60);
  for (auto hour = static_cast<size_t>(from.count() / 60); hour < 24; ++hour) {
    if (hours_[hour])
      for (; minute < 60; ++minute)
        if (minutes_[minute])
          return minutes{hour * 60 + minute};
    minute = 0;
  }
  return std::nullopt;
}

std::optional<local_seconds> cron::next(local_seconds from) const {
  auto start = std::max<local_time<minutes>>(
    ceil<minutes>(from), local_days{year{first_year} / January / 1});
  auto today = floor<days>(start);
  year_month_day first{today};
  auto midnight = *next_time_of_day(minutes{0}); // no field is empty
  year_month month{first.year(), first.month()};
  auto day_from = static_cast<unsigned>(first.day());
  for (; month.year() <= year{last_year}; month += months{1}, day_from = 1) {
    if (!meant(month))
      continue;
    auto days = days_.in(month);
    for (auto i = day_from; i < days.size(); ++i) {
      if (!days[i])
        continue;
      local_days day{month / std::chrono::day{i}};
      auto time = day == today ? next_time_of_day(start - today) : midnight;
      if (time)
        return day + *time;
    }
  }
  return std::nullopt;
}

parsed<cron> parse_cron(std::string_view text) {
  auto fields = words(text);
  if (fields.size() != 5 && fields.size() != 6)
    return parse_error{"cron has 6 fields (minutes hours day-of-month month "
                       "day-of-week year) or the 5 of a crontab, not "
                       + std::to_string(fields.size())};
  try {
    cron result{fields.size() == 6 ? cron_syntax::eventbridge
                                   : cron_syntax::crontab,
                fields.data()};
    if (!result.next(local_seconds{}))
      return parse_error{"cron(" + std::string{text}
                         + ") never comes true up to "
                         + std::to_string(cron::last_year)};
    return result;
  } catch (const cron_field_error& e) {
    return parse_error{e.what()};
  }
}

} // namespace troupe
