// When something is to be run again and again, or once. Three expressions,
// those of AWS EventBridge:
//
//   rate(5 minutes)            every so often, whatever clocks show. Units are
//                              second, minute, hour and day (24 hours),
//                              singular or plural; seconds are no part of
//                              EventBridge. From one second to 3660 days
//   cron(0 8 ? * MON-FRI *)    at times of a calendar: see cron.hpp
//   at(2026-03-29T02:30:00)    once
//
// `cron` and `at` mean local times of a zone; UTC by default.
//
// Where clocks are set, these rules hold:
//
// 1. A local time that clocks skip is fired at the first moment after the gap.
//    If there are several in one gap, they are fired there once.
// 2. A local time that clocks show twice is fired the first time.
// 3. A `cron` that goes by the hour, and does not name hours, follows the clock
//    instead: it is fired whenever clocks show what it says, through both
//    passes of a repeated hour, and makes up for nothing that was skipped. It
//    goes by the hour if the field for hours is `*`, has `*/n` or `a/n`, or
//    comes to all 24.
//
// So a daily report comes once on every day, and what is done every 15 minutes
// is done every 15 minutes. These are the rules of Debian's cron (cron(8): jobs
// of the time that was skipped "will be run soon after the change", those of
// the repeated time "will not be re-run", those with wildcards "are run based
// on the new time immediately"), with two differences: there `*` in the minutes
// is a wildcard too, so that `*/15 2 * * *` is lost on the day when 2:00-3:00
// is skipped; and a change of three hours or more is no special case here.
// EventBridge Scheduler skips what rule 1 makes up for (Schedule types,
// "Daylight savings time"): a daily job that is lost once a year is what users
// notice. Rule 2 is its own.
//
// `rate` counts from its start: its first firing is one interval later, and
// firings do not move when it is looked at late.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "actors/model/cron_in_zone.hpp"
#include "actors/model/parsed.hpp"
#include "actors/model/time_zone.hpp"

namespace troupe {

/// What an expression does not say.
struct schedule_context {
  /// Of the local times in `cron` and `at`.
  time_zone_ptr zone = utc_zone();

  /// What `rate` counts from: when it was made, and kept with it.
  std::chrono::sys_seconds start{};
};

/// Firings, oldest first.
struct due_firings {
  std::vector<std::chrono::sys_seconds> times;

  /// There are others after them that were not asked for.
  bool more = false;
};

class schedule {
public:
  using time_point = std::chrono::sys_seconds;

  /// How long an expression may be.
  static constexpr size_t length_max = 256;

  /// The first firing after `t`, never at it; nothing if there is none up to
  /// 2199.
  std::optional<time_point> next_after(time_point t) const;

  /// The firings after `a` up to `b`, `b` among them; `most` at most.
  due_firings due_between(time_point a, time_point b, size_t most) const;

  /// The last firing after `a` up to `b`. What lies between is not walked.
  std::optional<time_point> last_between(time_point a, time_point b) const;

private:
  friend parsed<schedule> parse_schedule(std::string_view text,
                                         const schedule_context& context);

  struct every {
    std::chrono::seconds interval;
    time_point start;
  };

  struct once {
    time_point time;
  };

  using expression = std::variant<every, once, cron_in_zone>;

  explicit schedule(expression x) : expression_{std::move(x)} {}

  static parsed<schedule> parse_rate(std::string_view text, time_point start);
  static parsed<schedule> parse_at(std::string_view text,
                                   const time_zone& zone);

  static std::optional<time_point> next(const every& x, time_point t);
  static std::optional<time_point> next(const once& x, time_point t);
  static std::optional<time_point> next(const cron_in_zone& x, time_point t);

  expression expression_;
};

/// Reads an expression. Errors: it is none of the three, too long, has a part
/// that does not fit, or never fires (30 February). An `at` that has passed is
/// none: it has no firing after now.
/// @pre `context.zone` is there
parsed<schedule> parse_schedule(std::string_view text,
                                const schedule_context& context = {});

} // namespace troupe
