#include "actors/core/deadline_keeper.hpp"

#include <vector>

namespace troupe {

deadline_keeper::deadline_keeper(time_point now)
  : shards_{shard{now}, shard{now}, shard{now}, shard{now},
            shard{now}, shard{now}, shard{now}, shard{now}},
    tick_(shards_[0].wheel.tick()) {}

deadline_keeper::~deadline_keeper() {
  for (auto& x : shards_)
    x.wheel.expire(time_point::max(), [](wheel_hook& hook) {
      static_cast<invocation&>(hook).deref();
    });
}

deadline_keeper::shard&
deadline_keeper::shard_of(const invocation& call) noexcept {
  // Any even spread does; objects are at least 64 bytes apart.
  return shards_[reinterpret_cast<uintptr_t>(&call) / 256 % shard_count];
}

void deadline_keeper::on_armed(std::function<void()> wake) {
  std::lock_guard guard{wake_mutex_};
  wake_ = std::move(wake);
  if (wake_ && armed_.load())
    wake_();
}

void deadline_keeper::wake() {
  std::lock_guard guard{wake_mutex_};
  if (wake_)
    wake_();
}

void deadline_keeper::add(invocation_ptr call) {
  auto& x = shard_of(*call);
  {
    std::lock_guard guard{x.mutex};
    x.wheel.add(*call, call->deadline);
    call->ref();
  }
  call->watched_by(*this); // forgets it if the answer came meanwhile
  if (!armed_.exchange(true))
    wake();
}

void deadline_keeper::forget(invocation& call) noexcept {
  auto& x = shard_of(call);
  {
    std::lock_guard guard{x.mutex};
    if (!call.linked())
      return;
    x.wheel.remove(call);
  }
  call.deref();
}

bool deadline_keeper::expire(time_point now, caf::execution_unit* host) {
  std::vector<invocation_ptr> due;
  auto waiting = false;
  for (auto& x : shards_) {
    std::lock_guard guard{x.mutex};
    x.wheel.expire(now, [&](wheel_hook& hook) {
      due.emplace_back(static_cast<invocation*>(&hook), false);
    });
    waiting = waiting || !x.wheel.empty();
  }
  for (auto& call : due)
    call->expire(host);
  if (waiting)
    return true;
  armed_.store(false);
  // Somebody may have come between the look and the store.
  return size() > 0 && !armed_.exchange(true);
}

size_t deadline_keeper::size() const {
  size_t result = 0;
  for (auto& x : shards_) {
    std::lock_guard guard{x.mutex};
    result += x.wheel.size();
  }
  return result;
}

} // namespace troupe
