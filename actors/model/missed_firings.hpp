// What becomes of firings that nobody was there for: the nodes were down, or
// the store was. A schedule says which of three it wants. Whoever looks after
// schedules keeps with each until when it was looked at, asks here what to run,
// and stores the new moment with the work in one transaction, so that no firing
// is lost or doubled.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/model/schedule.hpp"

namespace troupe {

enum class missed_firings : uint8_t {
  /// They are not made up for: what matters is only the time itself.
  skip,
  /// The last of them is run, and stands for all: a report, a clean-up.
  once,
  /// Each of them is run, oldest first: every one counts.
  all,
};

std::string_view to_string(missed_firings x);

/// Nothing if it is none of "skip", "once" and "all".
std::optional<missed_firings> parse_missed_firings(std::string_view text);

struct catch_up_options {
  missed_firings missed = missed_firings::once;

  /// A firing that is found up to so much later is on time, and always run.
  std::chrono::seconds on_time{60};

  /// So many are run at once at most; the others the next time.
  size_t most = 100;

  /// What is wrong with it, if anything.
  std::optional<std::string> validate() const;
};

struct catch_up {
  /// Due times of what is to be run, oldest first.
  std::vector<schedule::time_point> run;

  /// Until when the schedule has been looked at now.
  schedule::time_point seen;

  /// Missed firings that are not run. Of one catch-up so many are counted at
  /// most: nobody walks through years of them.
  size_t skipped = 0;

  static constexpr size_t skipped_max = 1000;
};

/// What is to be run of the firings after `seen` up to `now`. If the clock was
/// set back behind `seen`, nothing is, and `seen` stays.
/// @pre `!options.validate()`
catch_up firings_to_run(const schedule& of, schedule::time_point seen,
                        schedule::time_point now,
                        const catch_up_options& options);

} // namespace troupe
