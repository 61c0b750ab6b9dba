// Calls whose outcomes belong together: a group makes all of them, hears of the
// end of each, and calls what follows when all have succeeded, or the first one
// has. A group is an entity of a service that every node brings along, so it is
// as durable as any state, and each step is one commit:
//
//   begin    the state, and all calls of the group: all or none
//   arrived  the outcome of one call; with the last one, what follows
//   expire   a reminder: it takes too long
//
// What a call tells is work that is accepted in the transaction in which that call
// ends (group_work.hpp), and a call of an entity comes exactly once: so no outcome
// is lost or counted twice, whatever becomes of nodes, and what follows follows
// once.

#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/cloud_event.hpp"
#include "actors/core/context.hpp"
#include "actors/core/defaults.hpp"
#include "actors/core/module.hpp"
#include "actors/core/own_services.hpp"
#include "actors/work/group_spec.hpp"

namespace troupe {

struct group_options {
  /// How long a group can be looked at that has ended. Default 1 h, as results.
  std::chrono::milliseconds keep = defaults::work::keep_results;

  /// The same of one that has failed, when nobody was told. Default 14 days, as
  /// dead letters.
  std::chrono::milliseconds keep_failed = defaults::work::keep_dead;
};

/// Of a group, and of one of its calls.
enum class group_state : uint8_t {
  /// Of a call: it has not ended.
  running,
  succeeded,
  failed,
  /// Of a group: somebody has ended it. Of a call, which shows it as `abandoned`:
  /// its group has ended before it. It may have begun, so it may have had its
  /// effect; one that runs goes on, and shows what came of it once it has ended.
  cancelled,
};

class group_entity {
public:
  explicit group_entity(const group_options* options) : options_(options) {}

  // -- methods ---------------------------------------------------------------

  /// Sends the calls of a `group_spec`. The same again changes nothing.
  /// @throws error_exception as `group_spec::parse`; `idempotency_conflict` if it
  ///         is there and another one
  payload begin(context& ctx, payload spec);

  /// A call has ended: `{call, result}` or `{call, error}`.
  void arrived(context& ctx, payload what);

  /// What has not begun never will.
  payload cancel(context& ctx);

  /// What it is, and what came of its calls; asked by nodes of the version before.
  payload show(context& ctx) const;

  /// What its reminders call.
  void expire(context& ctx);
  void go(context& ctx);

  /// What is known of it without its calls.
  json summary() const;

  bool exists() const noexcept { return !calls_.empty(); }

  /// As JSON text, with its calls. @pre it exists
  std::string text(std::string_view id) const;

  /// The ids of what its end has called.
  const std::vector<std::string>& followed_by() const noexcept {
    return followed_by_;
  }

private:
  friend void to_json(json& to, const group_entity& from);
  friend void from_json(const json& from, group_entity& to);

  /// One of its calls.
  struct call {
    std::string target;
    std::string id;
    group_state state = group_state::running;

    /// The result, or the error, as JSON text.
    std::string answer{};

    /// The result was none: it is `{base64, contentType}`.
    bool is_wrapped = false;
  };

  void check_exists(const context& ctx) const;
  bool is_running() const noexcept {
    return exists() && state_ == group_state::running;
  }

  size_t count(group_state x) const;

  void succeed(context& ctx, call& x);
  void fail(context& ctx, const std::string& reason);
  void end(context& ctx, group_state how);

  void tell(context& ctx, const std::vector<std::string>& targets,
            const payload& what);

  /// A call has ended whose outcome is not wanted any more.
  static void note_late(call& x, bool failed, std::string_view error);

  /// What somebody outside is told, but for the data.
  cloud_event event_of_end(const context& ctx) const;

  payload all_results() const;
  payload failure_notice(const context& ctx) const;
  void append_calls(std::string& to, bool with_results) const;

  const group_options* options_;
  std::string fingerprint_;
  group_join join_ = group_join::all;
  std::vector<std::string> then_;
  std::vector<std::string> on_failure_;
  uint8_t priority_ = work_priority_default;
  uint32_t steps_ = 0;
  work_time made_{};
  std::optional<work_time> ended_;
  group_state state_ = group_state::running;

  /// Why it has failed, as JSON text; empty: it has not.
  std::string error_;

  std::vector<std::string> followed_by_;
  std::vector<call> calls_;
};

/// The service, for every node whose store has a queue.
module groups_module(group_options options);

/// What is known of a group, from its state as it is stored.
/// @throws std::exception if it is something else
json group_summary(const std::string& id, std::string_view state);

/// A group as it is shown, but for what became of those that follow it.
struct shown_group {
  /// A JSON object.
  std::string text;

  std::vector<invocation_id> followed_by;
};

/// From its state as it is stored. `not_found` if there is none;
/// `internal_error` if the state is none of a group, or of a later version.
expected<shown_group> show_group(const std::string& id, std::string_view state);

} // namespace troupe
