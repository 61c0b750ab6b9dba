#include "actors/model/deadline_wheel.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

deadline_wheel::deadline_wheel(time_point now, clock::duration tick,
                               size_t slots)
  : start_(now), tick_(tick), mask_(slots - 1), slots_(slots) {
  assert(tick.count() > 0);
  assert(slots > 0 && (slots & (slots - 1)) == 0);
  for (auto& head : slots_)
    head.next_ = head.prev_ = &head;
}

void deadline_wheel::add(wheel_hook& hook, time_point deadline) noexcept {
  assert(!hook.linked());
  // Rounded up, so that nothing ends early; never into a tick already done.
  auto wanted =
    deadline <= start_ ? 0 : tick_of(deadline - clock::duration{1}) + 1;
  hook.tick_ = std::max(wanted, done_ + 1);
  link(slots_[hook.tick_ & mask_], hook);
  ++size_;
}

void deadline_wheel::remove(wheel_hook& hook) noexcept {
  if (!hook.linked())
    return;
  unlink(hook);
  --size_;
}

uint64_t deadline_wheel::tick_of(time_point t) const noexcept {
  return t <= start_ ? 0 : static_cast<uint64_t>((t - start_) / tick_);
}

void deadline_wheel::collect(time_point now, wheel_hook& due) noexcept {
  due.next_ = due.prev_ = &due;
  auto last = tick_of(now);
  if (last <= done_)
    return;
  // One turn sees every slot; more would see them again.
  auto steps = std::min<uint64_t>(last - done_, slots_.size());
  for (uint64_t i = 0; i < steps && size_ > 0; ++i) {
    auto& head = slots_[(last - i) & mask_];
    for (auto* x = head.next_; x != &head;) {
      auto* next = x->next_;
      if (x->tick_ <= last) {
        unlink(*x);
        link(due, *x);
      }
      x = next;
    }
  }
  done_ = last;
}

void deadline_wheel::link(wheel_hook& list, wheel_hook& hook) noexcept {
  hook.prev_ = list.prev_;
  hook.next_ = &list;
  list.prev_->next_ = &hook;
  list.prev_ = &hook;
}

void deadline_wheel::unlink(wheel_hook& hook) noexcept {
  hook.prev_->next_ = hook.next_;
  hook.next_->prev_ = hook.prev_;
  hook.next_ = hook.prev_ = nullptr;
}

} // namespace troupe
