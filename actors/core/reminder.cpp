#include "actors/core/reminder.hpp"

#include <algorithm>

#include "actors/core/work_policy.hpp"

namespace troupe {

work_time first_due(const work_item& x, const work_policy& policy) {
  // Each retry has put `due` off; but from the first one follows when it expires.
  auto of_reminder = x.expires - forever;
  if (of_reminder >= x.accepted)
    return of_reminder;
  return std::max(x.accepted, x.expires - policy.age_max);
}

} // namespace troupe
