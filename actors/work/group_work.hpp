// What a dispatcher knows of groups (group_service.hpp): which work is a call of
// one, what the group hears of it, and what makes one where a pipeline joins.

#pragma once

#include <optional>
#include <string>

#include "actors/core/errors.hpp"
#include "actors/core/work_policy.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// Which call of which group work is.
struct group_member {
  /// The key of the group.
  std::string group;

  /// From 0.
  uint32_t number = 0;

  friend bool operator==(const group_member&, const group_member&) = default;
};

/// The notes of work that is a call of a group.
std::string notes_of(const group_member& x, uint32_t steps);

/// Nothing if it is none.
std::optional<group_member> member_of(const work_item& x);

/// Tells the group what its call `x` has given. No ids, times and limits are set.
work_request arrival(const work_item& source, const group_member& x,
                     const payload& result);

work_request arrival(const work_item& source, const group_member& x,
                     const error& reason);

/// Makes the group of those that follow `source`, under the id of that.
/// @pre policy.join
work_request group_after(const work_item& source, const work_policy& policy,
                         const payload& result);

} // namespace troupe
