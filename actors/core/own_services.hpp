// The services that every node brings along: what they are made of lies with
// those who define them.

#pragma once

#include <string_view>

namespace troupe {

/// No other has these names, and they are not called from outside.
inline constexpr std::string_view schedules_service = "troupe-schedules";
inline constexpr std::string_view groups_service = "troupe-groups";
inline constexpr std::string_view subscriptions_service =
  "troupe-subscriptions";

inline constexpr bool is_own_service(std::string_view name) noexcept {
  return name == schedules_service || name == groups_service
         || name == subscriptions_service;
}

/// Of work for one of them.
inline constexpr bool is_own_lane(std::string_view lane) noexcept {
  return lane.ends_with('/') && is_own_service(lane.substr(0, lane.size() - 1));
}

} // namespace troupe
