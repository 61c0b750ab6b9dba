#include "actors/core/lender.hpp"

#include <caf/actor_system.hpp>
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

void lender::exec_later(caf::resumable* job) {
  if (outer_)
    outer_->exec_later(job);
  else
    system().scheduler().enqueue(job);
}

} // namespace troupe
