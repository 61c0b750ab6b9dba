// A thread lent to CAF. Whoever calls an instance usually has nothing better to
// do than to wait for it, so it may run the instance itself: no queue of the
// scheduler, no wake-up of a worker, no way back. CAF's mailbox still makes sure
// that an actor runs on one thread at a time.

#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <caf/execution_unit.hpp>
#include <caf/fwd.hpp>

namespace troupe {

class lender;

/// What is put off until all that came to a thread together was handled, so that
/// it is done once for all of it. One for each thread that has turns.
class turn {
public:
  /// @pre called on the turn's thread
  void put_off(std::function<void(lender&)> what) {
    rest_.push_back(std::move(what));
  }

  /// Does what was put off; false if nothing was.
  bool end(caf::actor_system& sys);

private:
  std::vector<std::function<void(lender&)>> rest_;
};

/// Lives on the stack of one call.
class lender final : public caf::execution_unit {
public:
  /// @param outer the unit that this thread runs for already, or null for a
  ///        thread of no scheduler
  /// @param lend false: everything goes to the scheduler (virtual time)
  /// @param together null if the thread has no turns
  lender(caf::actor_system& sys, caf::execution_unit* outer, bool lend,
         turn* together = nullptr);

  /// Null if the thread has none.
  turn* together() noexcept { return together_; }

  /// How many lent threads are nested in each other here, this one included.
  uint32_t depth() const noexcept { return depth_; }

  /// A handler may run here.
  bool may_run() const noexcept;

  /// The unit to send other messages with; null on a thread of no scheduler.
  caf::execution_unit* outer() noexcept { return outer_; }

  void exec_later(caf::resumable* job) override;

private:
  caf::execution_unit* outer_;
  bool lend_;
  turn* together_;
  uint32_t depth_ = 1;
};

} // namespace troupe
