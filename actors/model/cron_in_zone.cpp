#include "actors/model/cron_in_zone.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

using namespace std::chrono;

// All that a calendar of these years can mean, wherever it is. Inside them no
// sum of a time and an offset overflows.
constexpr sys_seconds first_moment =
  sys_days{year{cron::first_year - 1} / 12 / 30};
constexpr sys_seconds last_moment = sys_days{year{cron::last_year + 1} / 1 / 3};
constexpr local_seconds never = local_days{year{cron::last_year + 2} / 1 / 1};

/// The first match of an expression from a time on; searched again only when
/// the last answer does not tell.
class match_finder {
public:
  explicit match_finder(const cron& of) : cron_(of) {}

  local_seconds from(local_seconds x) {
    if (x < searched_from_ || match_ < x) {
      searched_from_ = x;
      match_ = cron_.next(x).value_or(never);
    }
    return match_;
  }

private:
  const cron& cron_;
  local_seconds searched_from_ = never;
  local_seconds match_ = never;
};

} // namespace

cron_in_zone::cron_in_zone(cron expression, time_zone_ptr zone)
  : cron_{std::move(expression)}, zone_{std::move(zone)} {}

local_seconds cron_in_zone::first_after(sys_seconds t,
                                        const zone_period& period) const {
  auto result = period.to_local(t) + seconds{1};
  if (cron_.hourly() || period.begin <= first_moment)
    return result;
  // What clocks showed already, before they were set back, is not fired again.
  auto before = zone_->period_at(period.begin - seconds{1});
  return std::max(result, before.to_local(period.begin));
}

std::optional<sys_seconds> cron_in_zone::next_after(sys_seconds t) const {
  t = std::max(t, first_moment);
  if (t >= last_moment)
    return std::nullopt;
  match_finder matches{cron_};
  auto period = zone_->period_at(t);
  auto from = first_after(t, period);
  while (true) {
    auto match = matches.from(from);
    if (period.end >= last_moment || match < period.to_local(period.end))
      return match == never ? std::nullopt
                            : std::optional{period.to_sys(match)};
    auto set = period.end;
    auto shown = period.to_local(set);
    period = zone_->period_at(set);
    auto shows = period.to_local(set);
    if (cron_.hourly()) {
      from = shows;
    } else if (match < shows) {
      return set; // clocks are set forward over it
    } else {
      from = std::max(shown, shows);
    }
  }
}

} // namespace troupe
