// What becomes of queued work after an attempt: it is done, tried again, or dead.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/defaults.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/group_join.hpp"
#include "actors/core/work_destination.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// How queued calls of one function or service are treated.
struct work_policy {
  /// Attempts that may have begun the handler, from 1. AWS Lambda tries three
  /// times, too.
  uint32_t attempts_max = defaults::work::attempts;

  /// The pause after the first attempt that failed is drawn from 0 to this, and
  /// the bound doubles with each; see model/backoff.hpp.
  std::chrono::milliseconds pause = defaults::work::pause;
  std::chrono::milliseconds pause_max = defaults::work::pause_max;

  /// From when it was accepted, or was due if that is later; no attempt begins
  /// after it.
  std::chrono::milliseconds age_max = defaults::work::age_max;

  /// What is called after it with its result; and, when it failed for good, with
  /// what came of it (see work/follow_up.hpp): it is no dead letter then.
  std::vector<work_destination> on_success{};
  std::vector<work_destination> on_failure{};

  /// Those that are called after it with its result are a group
  /// (work/group_service.hpp): `then` is called with its outcome, and
  /// `on_failure` also when it fails.
  std::optional<group_join> join{};
  std::vector<work_destination> then{};

  /// What is wrong with it, if anything.
  [[nodiscard]] std::optional<std::string> validate() const;

  friend bool operator==(const work_policy&, const work_policy&) = default;

private:
  std::optional<std::string> validate_join() const;
};

/// How queued work of `lane` is treated if nobody says otherwise. Whoever is
/// outside is told until the work is too old: to tell costs little, and nobody
/// can say how long somebody else is away.
work_policy default_policy(std::string_view lane);

/// What is to be done after an attempt that failed.
struct work_verdict {
  /// When it is tried again; nothing: it is dead.
  std::optional<work_time> again{};

  /// The attempt does not count: the handler did not run, and may later.
  bool uncounted = false;

  /// It is dead because it would be too old for another attempt.
  bool too_old = false;

  friend bool operator==(const work_verdict&, const work_verdict&) = default;
};

/// An error by which nothing began, and which may be over in a while: no room,
/// no store, nobody who owns it, a node that leaves. Those are not counted as
/// attempts; what ends them is the work's age.
bool is_passing(const error& reason) noexcept;

/// An error by which nothing began, and nothing will: the arguments do not fit.
bool is_final(const error& reason) noexcept;

/// Judges the attempt `number` (from 1) of work that expires at `expires` and
/// may be tried `attempts_max` times, which failed at `now`.
work_verdict judge(const work_policy& policy, const error& reason,
                   uint32_t number, uint32_t attempts_max, work_time accepted,
                   work_time expires, work_time now, std::mt19937_64& random);

} // namespace troupe
