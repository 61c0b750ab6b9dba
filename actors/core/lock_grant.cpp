#include "actors/core/lock_grant.hpp"

namespace troupe {

expected<void> lock_options::validate() const {
  auto longest = defaults::lock::ttl_max;
  auto text = std::to_string(longest.count());
  if (ttl.count() < 1 || ttl > longest)
    return error{errc::bad_request, "a lock is held for 1 to " + text
                                      + " ms before it is renewed"};
  if (wait.count() < 0 || wait > longest)
    return error{errc::bad_request,
                 "one waits for a lock for 0 to " + text + " ms"};
  return {};
}

} // namespace troupe
