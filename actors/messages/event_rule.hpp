// A rule as it was declared: which events call what, and with which key.

#pragma once

#include <optional>
#include <string>

#include "actors/core/cloud_event.hpp"
#include "actors/core/expected.hpp"
#include "actors/core/work_destination.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/messages/event_pattern.hpp"
#include "actors/messages/subscription.hpp"

namespace troupe {

struct event_rule {
  std::string name;

  /// What these attributes must match; nothing: anything, or none.
  std::optional<event_pattern> type{};
  std::optional<event_pattern> source{};
  std::optional<event_pattern> subject{};

  /// Who is called,
  message_target target{};

  /// or somebody outside, who is told of the event as it is.
  std::optional<work_destination> outside{};

  /// The attribute that is the key; empty: `{key}` of a pattern, or the target's
  /// own, or none.
  std::string key_attribute{};

  /// The argument is the whole event as JSON, not its data.
  bool takes_event = false;

  /// Whether it can be done: `bad_request` with what makes no sense.
  expected<void> validate() const;

  bool matches(const cloud_event& x) const;

  /// What `x` calls; `bad_request` if it has no good key. Id and times are not
  /// set. An event that is sent again is the same work.
  /// @pre `matches(x)`
  expected<work_request> call_of(const cloud_event& x) const;

  friend bool operator==(const event_rule&, const event_rule&) = default;
};

} // namespace troupe
