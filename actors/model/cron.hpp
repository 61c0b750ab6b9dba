// A cron expression: which minutes of a calendar are meant. It knows local
// times only; what becomes of them where clocks are set is told in
// schedule.hpp.
//
// Six fields are read as AWS EventBridge has them (Cron expressions reference,
// docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html):
//
//   minutes       0-59                      , - * /
//   hours         0-23                      , - * /
//   day-of-month  1-31                      , - * ? / L W
//   month         1-12 or JAN-DEC           , - * /
//   day-of-week   1-7 or SUN-SAT            , - * ? / L #
//   year          1970-2199                 , - * /
//
//   a-b    a range; it may go over the end (22-2, NOV-FEB, FRI-MON), but not
//          for days of the month and years
//   a/n    a and every n-th after it; a-b/n and */n likewise
//   ?      any; exactly one of the two fields for days must be it
//   L      the last day of the month; L-3: three days before that; as a day of
//          the week Saturday; 6L or FRIL: the last Friday of the month
//   15W    the day from Monday to Friday that is nearest to the 15th, in the
//          same month; LW: the last such day. A month without that day has none
//   3#2    the second Tuesday of the month
//
// EventBridge's page wants one `#` at most, and names neither L-n nor LW, which
// are those of Quartz. Here all of them may stand in lists.
//
// Five fields are read as crontab(5) has them: minute, hour, day of month,
// month, day of week. The count tells the two apart, and must: there week days
// are 0-7 with Sunday as 0 and 7 (6L is not said there: no ? L W #), a/n needs
// a range, and if both fields for days are restricted (do not begin with *) a
// day of either is meant. Ranges that go over the end, and names in ranges, are
// read here too.
//
// Names may be in either case; `L` and `W` are capital.

#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string_view>

#include "actors/model/cron_days.hpp"
#include "actors/model/parsed.hpp"

namespace troupe {

class cron {
public:
  /// The years that are searched.
  static constexpr int first_year = 1970;
  static constexpr int last_year = 2199;

  /// The first minute from `from` on that is meant; nothing if there is none to
  /// the end of `last_year`.
  std::optional<std::chrono::local_seconds>
  next(std::chrono::local_seconds from) const;

  /// It goes by the hour rather than naming hours: the field is `*`, or has
  /// `*/n` or `a/n`, or comes to all 24.
  bool hourly() const noexcept { return hourly_; }

  bool meant(std::chrono::year_month month) const;

private:
  friend parsed<cron> parse_cron(std::string_view text);

  cron(cron_syntax syntax, const std::string_view* fields);

  std::optional<std::chrono::minutes>
  next_time_of_day(std::chrono::minutes from) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  cron_days days_;
  std::bitset<13> months_;
  std::bitset<last_year + 1> years_;
  bool hourly_ = false;
};

/// Reads what is between the parentheses of `cron(...)`. An expression that
/// never comes true up to 2199 (30 February, a year without such a day) is an
/// error.
parsed<cron> parse_cron(std::string_view text);

} // namespace troupe
