// Ends calls at their deadline for callers that have no wheel of their own:
// actors, coroutines, futures. Only calls that were not answered at once come
// here. Sharded, so that threads seldom meet.

#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>

#include "actors/core/invocation.hpp"
#include "actors/model/deadline_wheel.hpp"

namespace troupe {

/// Thread-safe. Something must call `expire` while `armed()`; see
/// routing/deadline_ticker.hpp.
class deadline_keeper final : public deadline_watch {
public:
  /// @param now by the clock of the actor system
  explicit deadline_keeper(time_point now);

  /// Lets go of the calls that still wait; nobody tells them.
  ~deadline_keeper() override;

  /// `wake` is called when there is something to wait for again, and now if
  /// there is already.
  void on_armed(std::function<void()> wake);

  /// Ends `call` at its deadline unless it is answered before. @pre it was
  /// submitted
  void add(invocation_ptr call);

  void forget(invocation& call) noexcept override;

  /// Ends every call whose deadline is not after `now`. Returns whether more
  /// are waiting; if not, the next `add` wakes again.
  bool expire(time_point now, caf::execution_unit* host);

  /// How many calls wait here.
  size_t size() const;

  std::chrono::nanoseconds tick() const noexcept { return tick_; }

  /// When to call `expire` next, from `now`: called so, nothing ends later than
  /// a tick after its deadline.
  std::chrono::nanoseconds until_next_tick(time_point now) const noexcept {
    return shards_[0].wheel.until_next_tick(now);
  }

private:
  static constexpr size_t shard_count = 8;

  struct alignas(64) shard {
    explicit shard(time_point now) : wheel(now) {}

    mutable std::mutex mutex;
    deadline_wheel wheel;
  };

  void wake();
  shard& shard_of(const invocation& call) noexcept;

  std::array<shard, shard_count> shards_;
  std::chrono::nanoseconds tick_;
  std::atomic<bool> armed_{false};
  std::mutex wake_mutex_;
  std::function<void()> wake_;
};

} // namespace troupe
