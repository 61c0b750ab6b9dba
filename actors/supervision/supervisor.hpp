// An actor that fails must not take its program along, and must not stay dead
// either. A supervisor is an actor whose only work is to start others, to watch
// them and to start them again: the semantics are those of Erlang/OTP's
// `supervisor`, and this header is their full specification.
//
// # Start
//
// `supervisor(...)` checks options and specifications, and spawns. Children are
// started in the order given, each when the one before it has been started. If
// a start fails, those already started are stopped in reverse order and the
// supervisor exits with `supervisor_errc::start_failed`.
//
// # The end of a child
//
// The supervisor monitors its children. When one ends by itself, its restart
// type and the reason decide (`restart_type`):
//
//   reason                      permanent   transient            temporary
//   normal, user_shutdown       restart     stays down, kept     forgotten
//   any other                   restart     restart              forgotten
//
// "Any other" includes kill, an unhandled exception, and an error of the
// child's own. The strategy says who is restarted along with it:
//
//   one_for_one    only that child
//   one_for_all    all children
//   rest_for_one   that child, and those that were started after it
//
// The others of the group are stopped in reverse order of start, each by its
// own stop policy; then the group is started in order. Temporary children of a
// group are stopped and forgotten. Children of a group that were down (ended
// normally, or stopped by `terminate`) are started along with it. A member that
// ends by itself while its group is being stopped is not counted.
//
// # Too many restarts
//
// Each restart of a child or a group is counted, before it is done. More than
// `intensity` of them within `period`: the supervisor gives up, stops its
// children in reverse order, and exits with
// `supervisor_errc::intensity_exceeded`. That reason is abnormal, so that a
// parent restarts a supervisor that is permanent or transient, and counts it:
// this is how a fault escalates. (OTP exits with `shutdown` here, which a
// transient supervisor would not be restarted for.)
//
// A start that fails during a restart counts as another restart, and is tried
// again: by a message, so that a shutdown is served between two tries. With
// `rest_for_one` it goes on from the child that failed; with `one_for_all` from
// the first, after those that started are stopped.
//
// # Backoff
//
// OTP restarts at once, and so does the default. With a backoff, each restart
// waits for a delay with full jitter, which grows with the child's restarts in
// a row; a child that stayed up for `backoff_reset` starts from the first delay
// again. A group is stopped at once and started after the delay. Beware that a
// backoff whose cap is above period / intensity seldom lets the window
// overflow: the child is then retried forever, instead of its fault escalating.
//
// # Stop
//
// An exit message with any reason but `normal` and `kill` stops the supervisor
// in order: children are stopped one by one in reverse order of start, then it
// exits with that reason. Exit messages that come from a child are ignored; its
// end is seen by the monitor.
//
// A child is stopped by `stop_policy`. CAF's kill takes effect when the handler
// the child is in returns, so a kill can go unanswered; after `kill_limit` the
// child is given up: it is forgotten, listed as "stopping" until it does end,
// and the supervisor goes on. Nothing here waits forever, except for
// supervisors that were told to stop, and those are bounded by their children.
//
// If the supervisor is killed, or nobody holds its handle any more (it is an
// actor like any other), its children are killed: none is ever orphaned.
//
// # Threads
//
// All functions of the specifications and `on_event` run in the supervisor's
// actor, one at a time. They must not block, and `on_event` must not throw.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/error.hpp>
#include <caf/expected.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/tree.hpp"
#include "actors/model/backoff.hpp"
#include "actors/supervision/child_spec.hpp"

namespace troupe {

// -- errors -------------------------------------------------------------------

/// What a supervisor answers and exits with. In CAF errors the category is
/// `supervisor`, the context a sentence.
enum class supervisor_errc : uint8_t {
  /// Options or a specification are wrong, or an id occurs twice.
  bad_spec = 1,
  /// (start) A child of that id exists and is not stopped.
  already_started,
  /// (start) A child of that id exists and is stopped: restart or erase it.
  already_present,
  /// No child has that id.
  not_found,
  /// (restart, erase) The child is up, or about to stop.
  running,
  /// (restart, erase) The child waits for its restart.
  restarting,
  /// The start function failed or threw. Also the exit reason of a supervisor
  /// whose first start failed.
  start_failed,
  /// The supervisor is about to exit.
  shutting_down,
  /// Exit reason: more restarts than the intensity allows.
  intensity_exceeded,
};

[[nodiscard]] const char* to_string(supervisor_errc x);

/// Makes an error of category `supervisor`.
[[nodiscard]] caf::error make_error(supervisor_errc code,
                                    std::string context = {});

/// Whether `x` is `code` of category `supervisor`.
[[nodiscard]] bool is(const caf::error& x, supervisor_errc code);

/// Renders an exit reason for people: "normal", "user_shutdown", "kill",
/// "intensity_exceeded: ...".
[[nodiscard]] std::string render_reason(const caf::actor_system& system,
                                        const caf::error& reason);

// -- options ------------------------------------------------------------------

/// Who is restarted when a child is.
enum class restart_strategy : uint8_t {
  one_for_one,
  one_for_all,
  rest_for_one,
};

/// Whether the end of significant children ends the supervisor, with
/// `user_shutdown`, after it stopped the others in reverse order. Counted are
/// ends "by itself" that lead to no restart: a transient child's normal end,
/// any end of a temporary one.
enum class auto_shutdown : uint8_t {
  /// No. Significant children are refused.
  never,
  /// When one significant child ends.
  any_significant,
  /// When the last significant child that is not down ends.
  all_significant,
};

[[nodiscard]] const char* to_string(restart_strategy x);

[[nodiscard]] const char* to_string(auto_shutdown x);

/// Something that a log or a meter may want to know.
struct supervisor_event {
  enum class kind : uint8_t {
    /// A child was started, for the first time or again.
    started,
    /// A start function failed.
    start_failed,
    /// A child ended, for `reason`.
    ended,
    /// A restart was counted; it is due after `delay`.
    restart_due,
    /// A child did not stop in time and was killed.
    killed,
    /// A child did not even end when killed, and was given up.
    given_up,
    /// The supervisor stops, for `reason`. `id` is empty.
    stopping,
  };

  kind what;
  std::string id;
  std::string reason = {};
  std::chrono::nanoseconds delay{0};
};

[[nodiscard]] const char* to_string(supervisor_event::kind x);

struct supervisor_options {
  /// What `troupe tree` calls it when asked by somebody who is not its parent;
  /// its parent calls it by its id.
  std::string name = "supervisor";

  restart_strategy strategy = restart_strategy::one_for_one;

  /// Restarts allowed within `period`. Zero: the first crash ends the
  /// supervisor. OTP's default.
  uint32_t intensity = 1;

  /// Length of the sliding window. OTP's default. Raise both together when
  /// children may well crash in bursts.
  std::chrono::nanoseconds period = std::chrono::seconds{5};

  /// Wait before a restart; by default none.
  backoff_options backoff = {};

  /// A child that was up for so long is taken for healthy: its next restart
  /// waits for the first delay again.
  std::chrono::nanoseconds backoff_reset = std::chrono::seconds{60};

  /// Seeds the jitter. Zero: from the system's random device. Tests set it.
  uint64_t seed = 0;

  auto_shutdown significance = auto_shutdown::never;

  /// How long a killed child may take to end before it is given up.
  std::chrono::nanoseconds kill_limit = std::chrono::seconds{5};

  /// How long children of kind supervisor may take to describe themselves; one
  /// that takes longer is listed as "silent", without its own children. A
  /// supervisor under another should take less than its parent gives it, or one
  /// silent child hides the siblings that did answer.
  std::chrono::nanoseconds describe_timeout = std::chrono::seconds{1};

  /// Told of every start, end and restart. May be empty.
  std::function<void(const supervisor_event&)> on_event = nullptr;

  /// What is wrong with these options, if anything.
  [[nodiscard]] std::optional<std::string> validate() const;
};

/// What is wrong with a child under a supervisor of these options, if anything.
[[nodiscard]] std::optional<std::string>
check_child(const supervisor_options& options, const child_spec& spec);

// -- messages -----------------------------------------------------------------

enum class child_state : uint8_t {
  /// Started and not ended.
  up,
  /// Waits for its restart.
  waiting,
  /// Told to stop, not ended yet.
  stopping,
  /// Stopped or ended; its specification is kept.
  down,
};

[[nodiscard]] const char* to_string(child_state x);

/// One child, as (children) lists it.
struct child_info {
  std::string id;
  child_kind kind = child_kind::worker;
  restart_type restart = restart_type::permanent;
  child_state state = child_state::down;

  /// Empty unless up or stopping.
  caf::actor handle;

  /// How often it was started again.
  uint32_t restarts = 0;

  /// Why it ended or failed to start last; empty if it never did.
  std::string last_reason;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, child_info& x) {
  return f(x.id, x.kind, x.restart, x.state, x.handle, x.restarts,
           x.last_reason);
}

/// OTP's `count_children`.
struct child_counts {
  /// All children, dead or alive.
  uint32_t specs = 0;
  /// Those that are up or about to stop.
  uint32_t active = 0;
  /// Those of kind supervisor, dead or alive.
  uint32_t supervisors = 0;
  /// Those of kind worker, dead or alive.
  uint32_t workers = 0;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, child_counts& x) {
  return f(x.specs, x.active, x.supervisors, x.workers);
}

// -- the actor ----------------------------------------------------------------

/// While a group is being stopped and started again, `start`, `terminate`,
/// `restart` and `erase` wait until that is done; they do not wait for a
/// backoff. All of them answer `shutting_down` once the supervisor stops.
using supervisor_actor = caf::typed_actor<
  /// Adds a child after all others and starts it: answers its handle. Errors:
  /// `bad_spec`, `already_started`, `already_present`, `start_failed` (the
  /// specification is not kept).
  caf::replies_to<atom::start, child_spec>::with<caf::actor>,
  /// Stops a child, or calls off its restart; answers what is left of it when
  /// it has ended. The specification is kept, unless it is temporary. No
  /// error if it is down already. Errors: `not_found`.
  caf::replies_to<atom::terminate, std::string>::with<child_info>,
  /// Starts a child that is down: answers its handle. Errors: `not_found`,
  /// `running`, `restarting`, `start_failed` (it stays down).
  caf::replies_to<atom::restart, std::string>::with<caf::actor>,
  /// Forgets a child that is down: answers what it was. Errors: `not_found`,
  /// `running`, `restarting`.
  caf::replies_to<atom::erase, std::string>::with<child_info>,
  /// Lists the children in order of start.
  caf::replies_to<atom::children>::with<std::vector<child_info>>,
  /// Counts them.
  caf::replies_to<atom::count>::with<child_counts>,
  /// Describes itself and, in order of start, its children. Children of kind
  /// supervisor are asked in turn, within `describe_timeout`.
  caf::replies_to<atom::describe>::with<tree_node>,
  /// INTERNAL: the wait before a restart is over; the number of its timer.
  caf::reacts_to<atom::retry, uint64_t>,
  /// INTERNAL: a child's time to stop is over; the number of its timer.
  caf::reacts_to<atom::late, uint64_t>>;

/// Spawns a supervisor. The caller owns it: it lives as long as somebody holds
/// its handle, and is stopped by an exit message.
/// @returns `bad_spec` if options or specifications are wrong.
[[nodiscard]] caf::expected<supervisor_actor>
supervisor(caf::actor_system& system, supervisor_options options,
           std::vector<child_spec> children = {});

/// Spawns a supervisor from within an actor; neither is linked to the other.
[[nodiscard]] caf::expected<supervisor_actor>
supervisor(caf::local_actor* parent, supervisor_options options,
           std::vector<child_spec> children = {});

/// A specification that starts a supervisor under another one: permanent, and
/// stopped with no limit. Its `describe_timeout` should be below its parent's.
[[nodiscard]] child_spec supervisor_child(std::string id,
                                          supervisor_options options,
                                          std::vector<child_spec> children);

} // namespace troupe
