// Code that crashes at every start must not be started for every call: its
// callers would wait for a crash each, and its neighbours would pay for it. So
// what crashes too often is taken out of service: calls fail fast, one probe is
// let in after a cool-down, and a probe that succeeds reopens it.
//
// Only crashes count: a failed init, a dead child process, an actor that
// exited. One failed connection, a time-out or an exception that the instance
// answered is none, and its caller reports nothing here (or, for a probe,
// `record_inconclusive`).

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "actors/model/restart_window.hpp"

namespace troupe {

struct quarantine_options {
  /// Crashes allowed within `period`; one more closes the door.
  uint32_t intensity = 3;

  /// Length of the sliding window.
  std::chrono::nanoseconds period = std::chrono::seconds{10};

  /// Time until the first probe.
  std::chrono::nanoseconds cool_down = std::chrono::seconds{1};

  /// Each failed probe doubles the cool-down, up to this.
  std::chrono::nanoseconds cool_down_max = std::chrono::seconds{60};

  /// A probe that reported nothing for so long is taken for lost, and the next
  /// caller is let in as a probe.
  std::chrono::nanoseconds probe_limit = std::chrono::seconds{30};

  /// What is wrong with these options, if anything.
  [[nodiscard]] std::optional<std::string> validate() const;
};

/// The state machine
///
///   closed --(crashes past the intensity)--> quarantined
///   quarantined --(admit after the cool-down)--> probing
///   probing --(success)--> closed
///   probing --(crash)--> quarantined, for twice as long
///   probing --(inconclusive)--> quarantined, with the next probe due now
///
/// "Closed" is the closed circuit: calls flow. Never reads a clock.
class quarantine {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  enum class state : uint8_t {
    /// In service.
    closed,
    /// Out of service until `until()`.
    quarantined,
    /// One probe is under way; all others are refused.
    probing,
  };

  enum class verdict : uint8_t {
    /// Go on.
    admit,
    /// Go on as the one probe, and report how it went.
    probe,
    /// Fail fast; `retry_after` says when a probe is due.
    refuse,
  };

  /// @pre `!options.validate()`
  explicit quarantine(quarantine_options options);

  /// Asks to start an instance or to let a call in.
  [[nodiscard]] verdict admit(time_point now);

  /// A crash. While quarantined it changes nothing: it is a late one, of what
  /// was running when the door closed.
  void record_crash(time_point now);

  /// An instance came up, or a call was served. Only a probe's counts.
  void record_success(time_point now);

  /// The probe ended without proof (a time-out, a failed connection, its caller
  /// went away): nothing is learned, and the next caller may probe.
  void record_inconclusive(time_point now);

  /// How long until a probe is due; zero when it is, or when in service.
  [[nodiscard]] duration retry_after(time_point now) const;

  [[nodiscard]] state current() const { return state_; }

  /// When the next probe is due. @pre `current() != state::closed`
  [[nodiscard]] time_point until() const { return until_; }

private:
  void close_door(time_point now);

  void lengthen(time_point now);

  quarantine_options options_;
  restart_window crashes_;
  state state_ = state::closed;
  time_point until_;
  time_point reopened_;
  duration cool_down_{0};
};

/// As `troupe tree` shows it: "up", "quarantined", "probing".
[[nodiscard]] const char* to_string(quarantine::state x);

} // namespace troupe
