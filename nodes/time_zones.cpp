#include "nodes/time_zones.hpp"

#include <chrono>
#include <string>
#include <utility>

#include <cctz/time_zone.h>

namespace troupe {

namespace {

using namespace std::chrono;

class cctz_zone final : public time_zone {
public:
  cctz_zone(std::string name, cctz::time_zone zone)
    : name_(std::move(name)), zone_(std::move(zone)) {}

  const std::string& name() const override { return name_; }

  zone_period period_at(sys_seconds x) const override {
    zone_period result;
    result.offset = seconds{zone_.lookup(x).offset};
    // The last setting of clocks at or before x is the last before the next
    // second.
    cctz::time_zone::civil_transition set;
    if (zone_.prev_transition(x + seconds{1}, &set))
      result.begin = zone_.lookup(set.to).trans;
    if (zone_.next_transition(x, &set))
      result.end = zone_.lookup(set.to).trans;
    return result;
  }

private:
  std::string name_;
  cctz::time_zone zone_;
};

/// Not a path, not cctz' own names ("localtime", "Fixed/UTC+01:00:00").
bool is_zone_name(std::string_view x) {
  constexpr auto allowed =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "0123456789_+-/";
  return !x.empty() && x.size() <= 64 && x != "localtime"
         && x.find_first_not_of(allowed) == std::string_view::npos
         && x.front() != '/' && x.back() != '/';
}

} // namespace

parsed<time_zone_ptr> load_time_zone(std::string_view name) {
  if (name == "UTC")
    return utc_zone();
  std::string text{name};
  if (!is_zone_name(name))
    return parse_error{"'" + text
                       + "' is no name of a time zone; one is "
                         "Europe/Berlin"};
  cctz::time_zone zone;
  if (cctz::load_time_zone(text, &zone))
    return time_zone_ptr{std::make_shared<cctz_zone>(text, zone)};
  // Every database has it.
  if (!cctz::load_time_zone("Etc/UTC", &zone))
    return parse_error{"time zone '" + text
                       + "': there is no time zone database "
                         "on this machine (Debian: apt-get install tzdata)"};
  return parse_error{"there is no time zone '" + text + "'"};
}

} // namespace troupe
