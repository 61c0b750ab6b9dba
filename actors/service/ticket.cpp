#include "actors/service/ticket.hpp"

#include "actors/service/service_target.hpp"

namespace troupe {

ticket::ticket(service_target& target, invocation_ptr call)
  : target_(&target), call_(std::move(call)) {}

ticket::~ticket() {
  if (!call_)
    return;
  if (started_)
    finish({errc::instance_lost, "the entity ended in the call"}, nullptr);
  else
    finish(
      error{errc::shutting_down, "the entity ended before it took the call"}
        .retry_after(1),
      nullptr);
}

bool ticket::start() noexcept {
  started_ = call_->start();
  return started_;
}

void ticket::finish(caf::execution_unit* host) noexcept {
  auto call = std::exchange(call_, nullptr);
  leave();
  call->finish(host);
}

void ticket::finish(error reason, caf::execution_unit* host) {
  call_->fail(std::move(reason));
  finish(host);
}

void ticket::turn_away(error reason, caf::execution_unit* host) noexcept {
  hand_on()->turn_away(std::move(reason), host);
}

invocation_ptr ticket::hand_on() noexcept {
  auto call = std::exchange(call_, nullptr);
  leave();
  return call;
}

void ticket::leave() noexcept {
  if (slot_)
    slot_->pending.fetch_sub(1);
  target_->left();
}

} // namespace troupe
