// A process that lives in virtual time: an actor system with a clock of its
// own, which may run faster or slower than the true time. It can be paused
// (SIGSTOP), its machine can be put to sleep, and it can die; what reaches it
// meanwhile waits, or is lost.
//
// Its actors run in `run`, `receive` and `wake`, and nowhere else.

#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/model/boot_time.hpp"
#include "nodes/simulation/virtual_time.hpp"

namespace troupe::testing {

class virtual_process {
public:
  using duration = virtual_time::duration;

  /// @param time outlives it
  /// @param rate how much faster its clock runs than the true time
  explicit virtual_process(const virtual_time& time, double rate = 1);

  virtual_process(const virtual_process&) = delete;
  virtual_process& operator=(const virtual_process&) = delete;

  caf::actor_system& system() noexcept { return system_; }

  // -- time ------------------------------------------------------------------

  /// As CLOCK_BOOTTIME: goes on while the machine sleeps.
  boot_time boot() const noexcept;

  /// As the monotonic clock, which stands still meanwhile.
  std::chrono::steady_clock::time_point clock() const;

  /// When its next timer is due; nothing if there is none, or if it stands
  /// still.
  std::optional<duration> next_due() const;

  /// Lets its actors do what is due by now.
  void run();

  /// Something reaches it from outside.
  void receive(std::function<void()> what);

  // -- faults ----------------------------------------------------------------

  /// Nothing happens in it.
  bool stands_still() const noexcept { return dead_ || paused_ || asleep_; }

  bool is_dead() const noexcept { return dead_; }

  void pause() noexcept { paused_ = true; }

  void sleep();

  /// Ends a pause or a sleep. What it finds first may be its timers, or what
  /// has reached it.
  void wake(bool timers_first);

  /// Nothing happens in it any more.
  void die() noexcept { dead_ = true; }

  /// Ends it together with its actors, before what they use goes.
  void end(std::initializer_list<caf::actor*> actors);

private:
  static caf::actor_system_config& prepare(caf::actor_system_config& config);

  /// Delivers messages until there are none.
  void deliver();

  const virtual_time& time_;
  const double rate_;
  const duration born_;
  bool dead_ = false;
  bool paused_ = false;
  bool asleep_ = false;
  caf::actor_system_config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& scheduler_;
  duration synced_; // its clock stood for this moment
  std::deque<std::function<void()>> inbox_;
};

} // namespace troupe::testing
