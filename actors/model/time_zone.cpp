#include "actors/model/time_zone.hpp"

namespace troupe {

namespace {

using namespace std::chrono;

class utc final : public time_zone {
public:
  const std::string& name() const override { return name_; }

  zone_period period_at(sys_seconds) const override { return {}; }

private:
  std::string name_ = "UTC";
};

} // namespace

time_zone_ptr utc_zone() {
  return std::make_shared<utc>();
}

sys_seconds moment_of(const time_zone& zone, local_seconds x) {
  // No clock is a day or more away from UTC: the moment, if there is one, is
  // between these two, and so is the setting of clocks that took it away. The
  // first period that ends late enough to show `x` has it, or begins after it.
  auto as_utc = sys_seconds{x.time_since_epoch()};
  auto period = zone.period_at(as_utc - days{1});
  while (period.end <= as_utc + days{1} && period.to_local(period.end) <= x)
    period = zone.period_at(period.end);
  return std::max(period.to_sys(x), period.begin);
}

} // namespace troupe
