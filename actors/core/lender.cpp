#include "actors/core/lender.hpp"

#include <caf/actor_system.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include "actors/core/defaults.hpp"

namespace troupe {

bool turn::end(caf::actor_system& sys) {
  // What is put off meanwhile belongs to the next turn.
  auto all = std::exchange(rest_, {});
  if (all.empty())
    return false;
  lender thread{sys, nullptr, true, this};
  for (auto& x : all)
    x(thread);
  all.clear();
  if (rest_.empty())
    rest_ = std::move(all); // its memory
  return true;
}

lender::lender(caf::actor_system& sys, caf::execution_unit* outer, bool lend,
               turn* together)
  : caf::execution_unit(&sys), outer_(outer), lend_(lend), together_(together) {
  if (!outer)
    return;
  proxy_registry_ptr(outer->proxy_registry_ptr());
  if (auto lent = dynamic_cast<lender*>(outer)) {
    depth_ = lent->depth_ + 1;
    together_ = lent->together_;
  }
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
