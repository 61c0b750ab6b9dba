// Schedules are a service that every node brings along: an entity for each, whose
// next firing is a reminder of it. So they are as durable as any state, one node
// fires each, and another one goes on when that is gone; there is nothing else
// that could forget or double one.
//
// When the reminder comes, one commit sends the call of the target, keeps until
// when the schedule has been looked at, and sets the next reminder. The call has
// schedule and due time as its idempotency key: also a schedule that was taken
// back from a copy of the store does not fire one time twice within a day.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/context.hpp"
#include "actors/core/module.hpp"
#include "actors/core/own_services.hpp"
#include "actors/model/schedule.hpp"
#include "actors/work/schedule_spec.hpp"
#include "actors/work/schedule_work.hpp"

namespace troupe {

/// Finds a time zone by its name.
using zone_source = std::function<parsed<time_zone_ptr>(std::string_view name)>;

/// What those want to know who look at many.
struct schedule_glance {
  bool paused = false;

  /// Nothing if it is paused, or does not fire any more.
  std::optional<schedule::time_point> next;

  uint64_t fired = 0;

  /// Missed firings that were not made up for.
  uint64_t skipped = 0;
};

/// One schedule. Times are whole seconds.
class schedule_entity {
public:
  using time_point = schedule::time_point;

  explicit schedule_entity(const zone_source* zones) : zones_(zones) {}

  // -- methods. Most answer `show` ------------------------------------------

  /// The same again changes nothing: `rate` goes on counting from its start. One
  /// that should have fired a minute ago gets a new reminder.
  /// @throws error_exception `bad_request` if the expression is none or does not
  ///         fire any more
  json put(context& ctx, schedule_spec spec);

  /// Does not fire until it is resumed; what is due meanwhile is not missed.
  json pause(context& ctx);
  json resume(context& ctx);

  /// Forgets it. What it has sent goes on.
  void remove(context& ctx);

  /// What it is, and when it fires next.
  json show(context& ctx) const;

  /// What its reminder calls.
  void fire(context& ctx);

  /// What the end of a call of it calls, if that has failed for good.
  void failed(context& ctx, schedule_failure what);

  /// What is known of it without its zone.
  json summary() const;
  schedule_glance glance() const noexcept;

private:
  friend void to_json(json& to, const schedule_entity& from);
  friend void from_json(const json& from, schedule_entity& to);

  bool exists() const noexcept { return !spec_.expression.empty(); }

  void check_exists(const context& ctx) const;

  /// @throws error_exception `bad_request` if it cannot be read
  schedule parse(const schedule_spec& spec, time_point start) const;

  /// Sets the reminder for the first firing after `seen_`.
  void plan(context& ctx, const schedule& what);

  void send(context& ctx, time_point due);

  const zone_source* zones_;
  schedule_spec spec_;

  /// What `rate` counts from.
  time_point start_{};

  /// Until when it has been looked at.
  time_point seen_{};

  /// Nothing if it is paused, or does not fire any more.
  std::optional<time_point> next_;

  std::optional<time_point> last_;

  /// The id of the call that the last firing has sent; empty if there is none, or
  /// if a node of an earlier version has sent it.
  std::string last_call_;
  uint64_t fired_ = 0;
  uint64_t skipped_ = 0;

  /// Calls that have failed for good, and the last of them.
  uint64_t failed_ = 0;
  std::optional<schedule_failure> last_failure_;
  bool paused_ = false;
};

/// The service, for every node whose store has a queue.
module schedules_module(zone_source zones);

/// What is known of a schedule, from its state as it is stored.
/// @throws std::exception if it is something else
json schedule_summary(const std::string& name, std::string_view state);

/// As above.
schedule_glance glance_at_schedule(std::string_view state);

} // namespace troupe
