#include "nodes/blocking_map.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>

#include <caf/actor_system.hpp>

#include "actors/core/defaults.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// Between a thread that waits and those that answer, who may be later than it.
class alarm_bell {
public:
  void ring() {
    std::lock_guard guard{mutex_};
    rung_ = true;
    changed_.notify_one();
  }

  /// Until it is rung, or `end`.
  void wait_until(time_point end) {
    std::unique_lock guard{mutex_};
    changed_.wait_until(guard, end, [this] { return rung_; });
    rung_ = false;
  }

  void wait() {
    std::unique_lock guard{mutex_};
    changed_.wait(guard, [this] { return rung_; });
    rung_ = false;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

/// What is wrong with the options.
std::optional<error> check(const map_options& x) {
  if (x.parallel < 1 || x.parallel > fan_out_options::parallel_max)
    return error{errc::bad_request, "parallel is 1 to 1024"};
  if (x.timeout
      && (*x.timeout < 1ms || *x.timeout > defaults::function::timeout_max))
    return error{errc::bad_request, "the time of a map is 1 ms to 900 s"};
  return std::nullopt;
}

std::chrono::milliseconds time_of(call_port& port, fan_out_work& work,
                                  const map_options& options) {
  if (options.timeout)
    return *options.timeout;
  auto target = work.target(port);
  return target ? (*target)->timeout() : defaults::function::timeout;
}

} // namespace

void map_and_wait(call_port& port, fan_out_work& work,
                  const map_options& options) {
  if (auto reason = check(options)) {
    for (size_t i = 0; i < work.size(); ++i)
      work.failed(i, *reason);
    return;
  }
  auto bell = std::make_shared<alarm_bell>();
  auto deadline = port.system().clock().now() + time_of(port, work, options);
  fan_out calls{
    port, work, {options.parallel, deadline}, [bell] { bell->ring(); }};
  auto is_late = false;
  for (;;) {
    while (calls.step()) {
    }
    if (calls.done())
      return;
    // What was not answered by then is on its way.
    if (is_late)
      bell->wait();
    else
      bell->wait_until(deadline);
    is_late = port.system().clock().now() >= deadline;
  }
}

} // namespace troupe
