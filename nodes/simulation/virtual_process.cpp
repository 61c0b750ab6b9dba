#include "nodes/simulation/virtual_process.hpp"

#include <algorithm>
#include <utility>

#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace troupe::testing {

using namespace std::chrono_literals;

virtual_process::virtual_process(const virtual_time& time, double rate)
  : time_(time), rate_(rate), born_(time.now()), system_(prepare(config_)),
    scheduler_(
      dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler())),
    synced_(time.now()) {
  scheduler_.clock().current_time += 1h;
}

caf::actor_system_config&
virtual_process::prepare(caf::actor_system_config& config) {
  config.set("scheduler.policy", caf::atom("testing"));
  config.set("logger.file-verbosity", caf::atom("quiet"));
  config.set("logger.console", caf::atom("none"));
  return config;
}

// -- time ----------------------------------------------------------------------

boot_time virtual_process::boot() const noexcept {
  auto age = static_cast<double>((time_.now() - born_).count()) * rate_;
  return boot_time{10h + duration{static_cast<int64_t>(age)}};
}

std::chrono::steady_clock::time_point virtual_process::clock() const {
  return scheduler_.clock().now();
}

std::optional<virtual_process::duration> virtual_process::next_due() const {
  auto& timers = scheduler_.clock().schedule();
  if (stands_still() || timers.empty())
    return std::nullopt;
  auto left = static_cast<double>(
    std::chrono::nanoseconds{timers.begin()->first - clock()}.count());
  auto due = synced_ + duration{static_cast<int64_t>(left / rate_) + 2};
  return std::max(due, time_.now());
}

void virtual_process::run() {
  if (stands_still())
    return;
  auto& time = scheduler_.clock();
  auto age = static_cast<double>((time_.now() - synced_).count()) * rate_;
  synced_ = time_.now();
  auto end = time.current_time + duration{static_cast<int64_t>(age)};
  deliver();
  while (!time.schedule().empty() && time.schedule().begin()->first <= end) {
    auto due = time.schedule().begin()->first;
    time.advance_time(std::max(due - time.current_time,
                               std::chrono::steady_clock::duration::zero()));
    deliver();
  }
  time.advance_time(end - time.current_time);
  deliver();
}

void virtual_process::receive(std::function<void()> what) {
  if (dead_)
    return;
  if (stands_still()) {
    inbox_.push_back(std::move(what));
    return;
  }
  run();
  what();
  run();
}

void virtual_process::deliver() {
  while (scheduler_.try_run_once()) {
    // one message after the other
  }
}

// -- faults --------------------------------------------------------------------

void virtual_process::sleep() {
  run(); // up to this moment
  asleep_ = true;
}

void virtual_process::wake(bool timers_first) {
  if (std::exchange(asleep_, false))
    synced_ = time_.now();
  paused_ = false;
  if (timers_first)
    run();
  for (auto& x : std::exchange(inbox_, {}))
    x();
  run();
}

void virtual_process::end(std::initializer_list<caf::actor*> actors) {
  die();
  inbox_.clear();
  for (auto x : actors)
    caf::anon_send_exit(std::exchange(*x, nullptr), caf::exit_reason::kill);
  deliver();
  scheduler_.clock().cancel_all();
  deliver();
  system_.await_actors_before_shutdown(false);
}

} // namespace troupe::testing
