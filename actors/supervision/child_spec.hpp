// What a supervisor has to know about a child to keep it alive: OTP's child
// specification.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/expected.hpp>
#include <caf/fwd.hpp>

namespace troupe {

/// When a child that ended by itself is started again. What a supervisor stops
/// is not "by itself".
enum class restart_type : uint8_t {
  /// Always, for whatever reason it ended.
  permanent,
  /// When it ended abnormally, that is with any reason but `normal` and
  /// `user_shutdown`. An unhandled exception, a kill and every other error are
  /// abnormal. After a normal end its specification is kept.
  transient,
  /// Never, and its specification goes with it. It is also not started again
  /// when a sibling's crash restarts the group.
  temporary,
};

/// What a child is to its supervisor.
enum class child_kind : uint8_t {
  /// Keeps nobody; described from what the supervisor knows.
  worker,
  /// Keeps others (a supervisor, a pool, a host) and answers `atom::describe`.
  supervisor,
};

/// How a child is stopped.
struct stop_policy {
  enum class mode : uint8_t {
    /// Killed at once (`exit_reason::kill`).
    brutal,
    /// Told to (`exit_reason::user_shutdown`); killed after the limit.
    limit,
    /// Told to, and waited for. Only for supervisors, whose own children have
    /// limits.
    infinite,
  };

  mode how = mode::limit;

  /// Used by `mode::limit` only.
  std::chrono::nanoseconds limit = std::chrono::seconds{5};

  static stop_policy brutal_kill() { return {mode::brutal, {}}; }

  static stop_policy within(std::chrono::nanoseconds limit) {
    return {mode::limit, limit};
  }

  static stop_policy infinity() { return {mode::infinite, {}}; }
};

struct child_spec {
  /// Spawns the child and hands back its handle. Called by the supervisor only,
  /// in its own actor: it must not block. `parent` is the supervisor, to spawn
  /// with; the child must not be linked to it (the supervisor monitors its
  /// children, and a child's kill would travel through a link). A typed handle
  /// becomes a `caf::actor` by `caf::actor_cast`.
  ///
  /// An error or an exception is a failed start. An empty handle means "nothing
  /// to run" (OTP's `ignore`): no failure, and the child counts as stopped.
  ///
  /// The child counts as started when this returns: what is sent to it from
  /// then on waits in its mailbox. What fails later, in its first behavior too,
  /// is a crash.
  using start_function =
    std::function<caf::expected<caf::actor>(caf::local_actor* parent)>;

  /// Name among its siblings; not empty.
  std::string id;

  start_function start;

  restart_type restart = restart_type::permanent;

  child_kind kind = child_kind::worker;

  /// How it is stopped; by default within 5 s for a worker, with no limit for a
  /// supervisor.
  std::optional<stop_policy> stop = std::nullopt;

  /// Whether its end may stop its supervisor (see `auto_shutdown`). Never with
  /// `permanent`, which does not end.
  bool significant = false;

  /// What `troupe tree` calls it ("router", "host"); by default its kind.
  std::string role = "";

  /// What is wrong with this specification, if anything.
  [[nodiscard]] std::optional<std::string> validate() const;

  /// `stop`, or the default for its kind.
  [[nodiscard]] stop_policy effective_stop() const;
};

[[nodiscard]] const char* to_string(restart_type x);

[[nodiscard]] const char* to_string(child_kind x);

} // namespace troupe

// A start function has no wire form: specifications stay in their process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::child_spec)
