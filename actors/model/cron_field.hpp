// One field of a cron expression, as the values that it stands for. What only
// the days know (L, W, #) is read in cron_days.hpp.

#pragma once

#include <bitset>
#include <span>
#include <stdexcept>
#include <string_view>

namespace troupe {

/// What is wrong with a field. It does not leave `parse_cron`.
struct cron_field_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// What a field may say.
struct cron_field_rule {
  /// For messages: "minutes".
  std::string_view name;
  int least;
  int most;

  /// Names for the values from `least` on; may be empty.
  std::span<const std::string_view> names = {};

  /// A range may go over the end: NOV-FEB, FRI-MON. 0: it may not; else after
  /// so many values the first one comes again.
  int cycle = 0;

  /// "5/10" is 5 and every tenth after it; crontab(5) has no such form.
  bool open_steps = true;
};

/// As many values as the longest field has: the years.
using cron_values = std::bitset<2200>;

/// Splits at each `by`; "a,,b" has an empty part.
/// @pre `text` is not longer than an expression may be
template <class F>
void for_each_part(std::string_view text, char by, F f) {
  while (true) {
    auto end = text.find(by);
    f(text.substr(0, end));
    if (end == std::string_view::npos)
      return;
    text.remove_prefix(end + 1);
  }
}

/// A number or a name that the field knows, in either case.
/// @throws cron_field_error
int parse_cron_value(std::string_view text, const cron_field_rule& rule);

/// "7", "1-5", "*", "*/15", "5/10", "8-18/2".
/// @throws cron_field_error
void parse_cron_item(std::string_view text, const cron_field_rule& rule,
                     cron_values& result);

/// A list of items with commas between them.
/// @throws cron_field_error
cron_values parse_cron_list(std::string_view text, const cron_field_rule& rule);

/// @throws cron_field_error with the name of the field, what it says, and `why`
[[noreturn]] void fail_cron_field(const cron_field_rule& rule,
                                  std::string_view text, std::string_view why);

} // namespace troupe
