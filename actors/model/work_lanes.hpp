// How much queued work a node does at once, and which of it to fetch next. Work
// is in lanes (one for each function and service); each has room for so much, and
// the node for so much in all, so that one lane that is slow takes its own room
// and not that of the others.
//
// A lane is known to wait since some time, or not to wait as far as is known. If
// nothing waits and there is room, new work begins at once; else it lines up
// behind what is there already.
//
// Plain bookkeeping: whoever owns it asks the store, and says what came of it.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

struct work_lanes_options {
  /// Of one lane at once. Raise it for work that mostly waits for others.
  uint32_t lane_max = 256;

  /// Of the node at once.
  uint32_t node_max = 1024;
};

/// Not thread-safe.
class work_lanes {
public:
  using time_point = std::chrono::sys_time<std::chrono::milliseconds>;

  struct room {
    std::string lane;
    uint32_t most = 0;

    friend bool operator==(const room&, const room&) = default;
  };

  explicit work_lanes(work_lanes_options options) : options_(options) {}

  // -- properties ------------------------------------------------------------

  /// What runs, and what is being fetched.
  uint32_t busy() const noexcept { return busy_; }

  /// When the first of what waits is due, of lanes that have room and are not
  /// being fetched from; nothing if nothing is known to wait there.
  std::optional<time_point> next_due() const;

  // -- what happens ----------------------------------------------------------

  /// New work of `lane` comes. True if it may begin at once: then it runs.
  bool begin(const std::string& lane, time_point now);

  /// Work of `lane` waits until `due`.
  void waits(const std::string& lane, time_point due);

  /// Work of `lane` that ran does not any more.
  void ended(const std::string& lane);

  /// What waits, as the store has it: all lanes that have waiting work, and
  /// when the first of it is due.
  void looked(const std::vector<std::pair<std::string, time_point>>& waiting);

  /// What to fetch now; those lanes are being fetched from until `fetched`.
  /// Returns nothing while there is little room: many are fetched together.
  std::vector<room> fetch(time_point now);

  /// What came of one lane's part of `fetch`: `got` of it runs. If that is less
  /// than was asked for, nothing more of it is known to wait.
  void fetched(const room& asked, uint32_t got);

private:
  struct lane {
    uint32_t running = 0;

    /// Being fetched; counted as if it ran.
    uint32_t fetching = 0;

    /// Of the first that waits; nothing if nothing is known to wait.
    std::optional<time_point> due;

    uint32_t busy() const noexcept { return running + fetching; }
  };

  using lanes = std::map<std::string, lane>;

  uint32_t room_of(const lane& x) const noexcept;
  bool may_fetch(const lane& x) const noexcept;
  void forget_if_idle(lanes::iterator i);

  work_lanes_options options_;
  lanes lanes_;
  uint32_t busy_ = 0;

  /// Where the next `fetch` begins, so that no lane is always the last.
  std::string turn_;
};

} // namespace troupe
