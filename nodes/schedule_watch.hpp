// What there is of schedules, for whoever asks now and then: how many, how often
// they have fired, and when the next one does. They are entities of a store, so
// each question has it read anew, beside; the answer is that of the question
// before.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "actors/core/backends.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

/// Of the whole cluster.
struct schedule_counts {
  uint64_t active = 0;
  uint64_t paused = 0;

  /// They never fire again.
  uint64_t ended = 0;

  /// Firings of those that are there, and missed ones that were not made up for.
  uint64_t fired = 0;
  uint64_t skipped = 0;

  /// Of all of them; nothing if none fires any more.
  std::optional<work_time> next{};

  friend bool operator==(const schedule_counts&,
                         const schedule_counts&) = default;
};

/// Thread-safe; never blocks.
class schedule_watch {
public:
  using clock = std::chrono::steady_clock;

  /// What is older is not said any more: Prometheus asks every minute or so.
  static constexpr std::chrono::seconds told_for{150};

  /// Between two readings.
  static constexpr std::chrono::seconds pause{5};

  /// Schedules that are read at most.
  static constexpr size_t read_max = 10'000;

  /// @param store outlives it and its questions
  explicit schedule_watch(state_store& store);

  /// What is known, if that is not old; has it read again.
  std::optional<schedule_counts> ask(clock::time_point now = clock::now());

private:
  class reading;
  struct known;

  state_store& store_;
  std::shared_ptr<known> known_;
};

} // namespace troupe
