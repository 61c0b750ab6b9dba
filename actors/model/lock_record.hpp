// One lock as a store keeps it, and the rules by which it changes hands: the same
// for every store, which reads a record, lets it decide, and writes it back in
// one transaction. Plain data without a clock of its own.
//
// The token rises by one with every grant and never falls, so that whoever
// guards something with it can tell an old holder from a new one. No clock is a
// part of that: a clock only says when a lock may be given to somebody else. A
// holder whose time is over still is the last one until there is another.
//
// Time is that since the machine was started (CLOCK_BOOTTIME): it goes on while
// the machine sleeps, and nobody can set it. It means nothing after the next
// start; only then the wall clock is asked, and it may be wrong: it never makes
// a lock last longer than its time to live, counted from when the record is
// first seen under the new start.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace troupe {

/// A moment, as a store sees it.
struct lock_time {
  /// Names the start of the machine that `since_boot` counts from.
  std::string boot;
  std::chrono::milliseconds since_boot{0};

  /// Since 1970; may be set.
  std::chrono::milliseconds wall{0};

  friend bool operator==(const lock_time&, const lock_time&) = default;
};

struct lock_record {
  /// Of the last grant; 0: there was none.
  uint64_t token = 0;

  /// The request that it was granted to; empty: it was released.
  std::string holder;

  /// The time that it was granted for.
  std::chrono::milliseconds ttl{0};

  /// When that is over.
  lock_time end;

  // -- what is asked of it ---------------------------------------------------

  /// How long nobody else can have it; 0 if anybody can.
  std::chrono::milliseconds left(const lock_time& now) const noexcept;

  bool held(const lock_time& now) const noexcept {
    return left(now).count() > 0;
  }

  /// Whoever shows `of` is the last holder, and did not release it.
  bool proves(uint64_t of) const noexcept {
    return of == token && !holder.empty();
  }

  // -- what changes it -------------------------------------------------------

  /// Grants it to the request `who` for `time`; false if another one has it. A
  /// request that is repeated gets its grant again, and the time begins anew.
  /// @pre `who` is not empty
  bool acquire(const std::string& who, std::chrono::milliseconds time,
               const lock_time& now);

  /// Its time begins anew, and is `time` or as long as it was; false if `of`
  /// does not hold it any more.
  bool renew(uint64_t of, std::optional<std::chrono::milliseconds> time,
             const lock_time& now);

  /// Anybody can have it; false if `of` is not the last grant. A release that is
  /// repeated changes nothing.
  bool release(uint64_t of) noexcept;

  friend bool operator==(const lock_record&, const lock_record&) = default;

private:
  void begin(std::chrono::milliseconds time, const lock_time& now);
};

} // namespace troupe
