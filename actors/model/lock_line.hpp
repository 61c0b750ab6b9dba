// Those who wait for one lock on one node. Only the first in the line asks the
// store, so that a lock that many wait for costs no more than one that somebody
// waits for, and so that those of one node get it in the order in which they
// came. Between nodes there is no order: each asks again after a pause, which is
// drawn at random and grows, when the holder's time is over, and at once when
// the lock was released on its own node.
//
// Plain bookkeeping: whoever owns a line asks the store when it says so, tells
// it what came of that, and looks at it again at `next_look`.

#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "actors/model/backoff.hpp"

namespace troupe {

class lock_line {
public:
  using time_point = std::chrono::steady_clock::time_point;

  struct waiter {
    uint64_t id = 0;

    /// Until when it waits.
    time_point until;

    friend bool operator==(const waiter&, const waiter&) = default;
  };

  explicit lock_line(backoff_options pauses) : pauses_(pauses) {}

  // -- properties ------------------------------------------------------------

  /// Nobody waits, and the store is not being asked.
  bool empty() const noexcept { return waiting_.empty() && !asking_; }

  size_t size() const noexcept { return waiting_.size(); }

  /// The store is being asked, for the one with this id.
  const std::optional<uint64_t>& asking() const noexcept { return asking_; }

  /// How long its holder still has it, as the store said last.
  std::chrono::milliseconds left(time_point now) const noexcept;

  // -- what happens ----------------------------------------------------------

  /// Somebody comes. False if it need not wait to know that it does not get the
  /// lock: others are before it, and its time is over.
  bool add(waiter x, time_point now);

  /// Somebody goes; false if it is not there.
  bool remove(uint64_t id);

  /// The first one, if it is time to ask the store for it: then it is asked for.
  /// @post `asking` if there is one
  std::optional<waiter> ask(time_point now);

  /// The store has granted the lock to whom it was asked for. Returns whether
  /// that one is still there; it is not any more.
  bool granted();

  /// Somebody else has the lock for `left`. Returns those whose time to wait is
  /// over; they are not there any more.
  std::vector<waiter> held(std::chrono::milliseconds left, time_point now,
                           std::mt19937_64& random);

  /// The store did not answer. Returns as `held` does.
  std::vector<waiter> failed(time_point now, std::mt19937_64& random);

  /// The lock was released on this node: the next `ask` is due.
  void released() noexcept;

  /// Takes those out whose time to wait is over while the lock is known to be
  /// held.
  std::vector<waiter> expire(time_point now);

  /// Takes all out.
  std::vector<waiter> take_all();

  /// When to look at it again; nothing while the store is being asked, or if
  /// nobody waits.
  std::optional<time_point> next_look() const;

private:
  void pause(time_point now, std::mt19937_64& random);

  std::vector<waiter> take_late(time_point now);

  backoff pauses_;
  std::deque<waiter> waiting_;

  /// The first of `waiting_` unless that one has gone.
  std::optional<uint64_t> asking_;

  /// It was released while the store was being asked.
  bool ask_again_ = false;

  /// When to ask the store next; nothing: at once.
  std::optional<time_point> next_ask_;

  /// When the holder's time is over, as the store said last.
  time_point free_at_;
  uint32_t attempt_ = 0;
};

} // namespace troupe
