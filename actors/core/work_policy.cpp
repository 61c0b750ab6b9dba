#include "actors/core/work_policy.hpp"

#include <algorithm>

#include "actors/core/outside.hpp"
#include "actors/model/backoff.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

/// For what does not count: there is no number of attempts to go by, so it
/// waits the longer the older it is.
milliseconds passing_pause(const work_policy& policy, work_time accepted,
                           work_time now, std::mt19937_64& random) {
  constexpr int part = 4;
  auto age = std::max(now - accepted, milliseconds{0});
  auto most = std::clamp(age / part, policy.pause / part, policy.pause_max);
  std::uniform_int_distribution<int64_t> some{most.count() / 2, most.count()};
  return milliseconds{some(random)};
}

} // namespace

std::optional<std::string> work_policy::validate() const {
  if (attempts_max < 1 || attempts_max > defaults::work::attempts_max)
    return "attempts are 1 to " + std::to_string(defaults::work::attempts_max);
  if (pause < milliseconds{0} || pause_max < pause)
    return "the longest pause is not below the first one";
  if (age_max < milliseconds{1} || age_max > defaults::work::age_max_max)
    return "the greatest age is from 1 ms to "
           + std::to_string(defaults::work::age_max_max.count()) + " ms";
  if (std::max(on_success.size(), on_failure.size())
      > defaults::work::destinations_max)
    return "there are " + std::to_string(defaults::work::destinations_max)
           + " destinations at most";
  return validate_join();
}

std::optional<std::string> work_policy::validate_join() const {
  if (!join)
    return then.empty() ? std::nullopt
                        : std::optional<std::string>{
                          "'then' follows a join: say join:all or join:any"};
  if (on_success.empty())
    return "a join needs what it joins: on-success";
  for (auto& x : on_success)
    if (looks_outside(x.to_string()))
      return "a join joins functions and services: " + x.to_string()
             + " is outside";
  if (std::max(then.size(), on_failure.size())
      > defaults::work::group_destinations_max)
    return "with a join there are "
           + std::to_string(defaults::work::group_destinations_max)
           + " then and on-failure at most";
  return std::nullopt;
}

work_policy default_policy(std::string_view lane) {
  work_policy result;
  if (looks_outside(lane))
    result.attempts_max = defaults::work::attempts_max;
  return result;
}

bool is_passing(const error& reason) noexcept {
  if (reason.what_happened() != effect::none)
    return false;
  switch (reason.code()) {
  case errc::not_found: // not yet, or no more, on the nodes that are here
  case errc::too_many_requests:
  case errc::busy_retry:
  case errc::quarantined:
  case errc::store_unavailable:
  case errc::shutting_down:
  case errc::deadline_exceeded: // in a queue
  case errc::not_owner:
  case errc::lock_held:
    return true;
  default:
    return false;
  }
}

bool is_final(const error& reason) noexcept {
  return reason.what_happened() == effect::none && !is_passing(reason)
         && reason.code() != errc::handler_failed;
}

work_verdict judge(const work_policy& policy, const error& reason,
                   uint32_t number, uint32_t attempts_max, work_time accepted,
                   work_time expires, work_time now, std::mt19937_64& random) {
  if (is_final(reason))
    return {};
  auto uncounted = is_passing(reason);
  if (!uncounted && number >= attempts_max)
    return {};
  auto pause = uncounted
                 ? passing_pause(policy, accepted, now, random)
                 : std::chrono::floor<milliseconds>(backoff{
                   {policy.pause, policy.pause_max}}.delay(number - 1, random));
  if (now + pause > expires)
    return {{}, false, true};
  return {now + pause, uncounted};
}

} // namespace troupe
