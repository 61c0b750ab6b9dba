#include "actors/function/admitted_call.hpp"

#include <utility>

namespace troupe {

admitted_call::admitted_call(call_target_ptr owner,
                             std::atomic<uint32_t>& places, invocation_ptr call)
  : owner_(std::move(owner)), places_(&places), call_(std::move(call)) {}

admitted_call::~admitted_call() {
  if (call_)
    finish(
      error{errc::shutting_down, "its keeper ended before it took the call"}
        .retry_after(1),
      nullptr);
  leave();
}

void admitted_call::leave() noexcept {
  if (places_)
    std::exchange(places_, nullptr)->fetch_sub(1);
}

void admitted_call::finish(caf::execution_unit* host) noexcept {
  leave();
  std::exchange(call_, nullptr)->finish(host);
}

void admitted_call::finish(error reason, caf::execution_unit* host) {
  call_->fail(std::move(reason));
  finish(host);
}

} // namespace troupe
