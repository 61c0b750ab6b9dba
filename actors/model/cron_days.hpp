// The days of a cron expression: those of the month and those of the week, and
// how the two go together. The only fields of which a month decides what they
// mean.

#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace troupe {

/// How a cron expression is written.
enum class cron_syntax : uint8_t {
  /// Six fields, as AWS EventBridge has them. Week days are 1-7 from Sunday on.
  eventbridge,
  /// Five fields, as crontab(5) has them. Week days are 0-7; 0 and 7 are
  /// Sunday.
  crontab,
};

/// 1 to 31, as far as a month has them; bit 0 is not used.
using month_days = std::bitset<32>;

class cron_days {
public:
  /// @throws cron_field_error
  cron_days(cron_syntax syntax, std::string_view of_month,
            std::string_view of_week);

  /// Those days of a month that are meant.
  month_days in(std::chrono::year_month month) const;

private:
  // -- reading ---------------------------------------------------------------

  void read_of_month(std::string_view field, cron_syntax syntax);
  bool read_special_of_month(std::string_view item);
  void read_of_week(std::string_view field, cron_syntax syntax);
  bool read_special_of_week(std::string_view item);

  // -- one month -------------------------------------------------------------

  month_days of_month_in(std::chrono::year_month month) const;
  month_days of_week_in(std::chrono::year_month month) const;

  /// A day must be in both; else in one of them, as crontab(5) has it.
  bool both_ = true;

  /// Plain days of the month.
  month_days days_;

  /// "L-n" as bit n: so many days before the last.
  month_days before_last_;

  /// "nW" as bit n: the day from Monday to Friday that is the nearest.
  month_days nearest_working_;

  /// "LW": the last day from Monday to Friday.
  bool last_working_ = false;

  /// Plain days of the week, from Sunday = 0.
  std::bitset<7> weekdays_;

  /// "d#n" as bit n - 1 of week day d.
  std::bitset<5> nth_[7];

  /// "dL": the last of that week day in a month.
  std::bitset<7> last_;
};

} // namespace troupe
