#include "actors/core/lender.hpp"

#include <caf/actor_system.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include "actors/core/defaults.hpp"

namespace troupe {

lender::lender(caf::actor_system& sys, caf::execution_unit* outer, bool lend)
  : caf::execution_unit(&sys), outer_(outer), lend_(lend) {
  if (!outer)
    return;
  proxy_registry_ptr(outer->proxy_registry_ptr());
  if (auto lent = dynamic_cast<lender*>(outer))
    depth_ = lent->depth_ + 1;
}

bool lender::may_run() const noexcept {
  return lend_ && depth_ <= defaults::lending::depth_max;
}

void lender::deliver(caf::scheduled_actor& to, caf::mailbox_element_ptr what,
                     bool runnable) {
  if (!runnable || !may_run()) {
    to.enqueue(std::move(what), outer_);
    return;
  }
  wanted_ = &to;
  woken_ = false;
  to.enqueue(std::move(what), this);
  wanted_ = nullptr;
  if (!woken_)
    return; // it runs elsewhere, or is gone
  using caf::resumable;
  switch (to.resume(this, defaults::lending::messages_max)) {
    case resumable::resume_later:
      system().scheduler().enqueue(&to);
      break;
    case resumable::done:
    case resumable::awaiting_message:
    case resumable::shutdown_execution_unit:
      // The reference that came with the wake-up.
      intrusive_ptr_release(static_cast<resumable*>(&to));
      break;
  }
}

void lender::exec_later(caf::resumable* job) {
  if (job == wanted_)
    woken_ = true;
  else if (outer_)
    outer_->exec_later(job);
  else
    system().scheduler().enqueue(job);
}

} // namespace troupe
