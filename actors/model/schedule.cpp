#include "actors/model/schedule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace troupe {

namespace {

using namespace std::chrono;

/// No firing is after it, whatever the expression.
constexpr sys_seconds end_of_time = sys_days{year{cron::last_year + 1} / 1 / 1};

constexpr seconds longest_rate = days{3660};

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

/// What is inside of "name(...)".
std::optional<std::string_view> inside(std::string_view text,
                                       std::string_view name) {
  if (!text.starts_with(name) || !text.ends_with(')'))
    return std::nullopt;
  text.remove_prefix(name.size());
  if (!text.starts_with('('))
    return std::nullopt;
  return trim(text.substr(1, text.size() - 2));
}

/// All of `text` as digits; nothing if it is something else.
std::optional<int64_t> number(std::string_view text) {
  int64_t result = 0;
  auto end = text.data() + text.size();
  auto [stop, code] = std::from_chars(text.data(), end, result);
  if (code != std::errc{} || stop != end || text.starts_with('-'))
    return std::nullopt;
  return result;
}

std::optional<seconds> unit_of_rate(std::string_view text) {
  if (text.ends_with('s'))
    text.remove_suffix(1);
  if (text == "second")
    return seconds{1};
  if (text == "minute")
    return minutes{1};
  if (text == "hour")
    return hours{1};
  if (text == "day")
    return days{1};
  return std::nullopt;
}

/// "2026-03-29T02:30:00"; nothing if it is something else, or no day has it.
std::optional<local_seconds> local_time_of(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (text.size() != shape.size())
    return std::nullopt;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
      return std::nullopt;
  auto part = [&](size_t at, size_t length) {
    return static_cast<int>(*number(text.substr(at, length)));
  };
  year_month_day date{year{part(0, 4)},
                      month{static_cast<unsigned>(part(5, 2))},
                      day{static_cast<unsigned>(part(8, 2))}};
  auto h = part(11, 2), m = part(14, 2), s = part(17, 2);
  if (!date.ok() || date.year() < year{cron::first_year}
      || date.year() > year{cron::last_year} || h > 23 || m > 59 || s > 59)
    return std::nullopt;
  return local_days{date} + hours{h} + minutes{m} + seconds{s};
}

} // namespace

// -- reading ------------------------------------------------------------------

parsed<schedule> schedule::parse_rate(std::string_view text, time_point start) {
  auto blank = std::min(text.find_first_of(" \t"), text.size());
  auto count = number(text.substr(0, blank));
  auto unit = unit_of_rate(trim(text.substr(blank)));
  if (!count || !unit)
    return parse_error{"rate is a number and second(s), minute(s), hour(s) or "
                       "day(s), not '"
                       + std::string{text} + "'"};
  if (*count < 1 || *count > longest_rate / *unit)
    return parse_error{"rate '" + std::string{text}
                       + "': from 1 second to 3660 days"};
  return schedule{every{*count * *unit, start}};
}

parsed<schedule> schedule::parse_at(std::string_view text,
                                    const time_zone& zone) {
  auto time = local_time_of(text);
  if (!time)
    return parse_error{"at is a time like 2026-03-29T02:30:00 from 1970 to "
                       "2199, not '"
                       + std::string{text} + "'"};
  return schedule{once{moment_of(zone, *time)}};
}

namespace {

/// What may be meant with `text`, which has no name before it; empty: nothing.
std::string schedule_like(std::string_view text,
                          const schedule_context& context) {
  for (auto name : {"cron", "rate", "at"}) {
    auto named = std::string{name} + "(" + std::string{text} + ")";
    if (parse_schedule(named, context))
      return named;
  }
  return {};
}

} // namespace

parsed<schedule> parse_schedule(std::string_view text,
                                const schedule_context& context) {
  text = trim(text);
  if (text.size() > schedule::length_max)
    return parse_error{"a schedule has at most "
                       + std::to_string(schedule::length_max) + " characters"};
  if (auto rate = inside(text, "rate"))
    return schedule::parse_rate(*rate, context.start);
  if (auto at = inside(text, "at"))
    return schedule::parse_at(*at, *context.zone);
  if (auto fields = inside(text, "cron")) {
    auto expression = parse_cron(*fields);
    if (!expression)
      return parse_error{expression.reason()};
    return schedule{cron_in_zone{*expression, context.zone}};
  }
  auto meant = schedule_like(text, context);
  return parse_error{"a schedule is rate(...), cron(...) or at(...), not '"
                     + std::string{text} + "'"
                     + (meant.empty() ? "" : "; is '" + meant + "' meant?")};
}

// -- when it fires ------------------------------------------------------------

std::optional<sys_seconds> schedule::next(const every& x, time_point t) {
  if (t < x.start)
    return x.start + x.interval;
  return x.start + ((t - x.start) / x.interval + 1) * x.interval;
}

std::optional<sys_seconds> schedule::next(const once& x, time_point t) {
  return t < x.time ? std::optional{x.time} : std::nullopt;
}

std::optional<sys_seconds> schedule::next(const cron_in_zone& x, time_point t) {
  return x.next_after(t);
}

std::optional<sys_seconds> schedule::next_after(time_point t) const {
  if (t >= end_of_time + days{1})
    return std::nullopt;
  return std::visit([&](auto& x) { return next(x, t); }, expression_);
}

due_firings schedule::due_between(time_point a, time_point b,
                                  size_t most) const {
  due_firings result;
  auto x = next_after(a);
  for (; x && *x <= b && result.times.size() < most; x = next_after(*x))
    result.times.push_back(*x);
  result.more = x && *x <= b;
  return result;
}

std::optional<sys_seconds> schedule::last_between(time_point a,
                                                  time_point b) const {
  auto one_follows = [&](time_point x) {
    auto next = next_after(x);
    return next && *next <= b;
  };
  if (!one_follows(a))
    return std::nullopt;
  // One follows on each moment before the last firing, and none on the others.
  auto before = a, from = b;
  while (from - before > seconds{1}) {
    auto middle = before + (from - before) / 2;
    (one_follows(middle) ? before : from) = middle;
  }
  return from;
}

} // namespace troupe
