#include "nodes/blocking_port.hpp"

namespace troupe {

std::optional<error> blocking_port::wait(invocation& call) {
  auto expected = state::open;
  if (!state_.compare_exchange_strong(expected, state::waiting))
    return std::nullopt;
  std::unique_lock guard{mutex_};
  if (changed_.wait_until(guard, call.deadline, [this] { return notified_; }))
    return std::nullopt;
  if (auto what = call.abandon())
    return error{errc::deadline_exceeded, *what,
                 *what == effect::none ? "the deadline passed in the queue"
                                       : "the deadline passed while it ran"};
  // The answer is under way: it may still touch this object.
  changed_.wait(guard, [this] { return notified_; });
  return std::nullopt;
}

void blocking_port::answered(invocation&, caf::execution_unit*) noexcept {
  if (state_.exchange(state::done) != state::waiting)
    return;
  std::lock_guard guard{mutex_};
  notified_ = true;
  changed_.notify_one();
}

} // namespace troupe
