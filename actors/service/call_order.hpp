// Whose turn it is at an entity. Calls from outside wait in the order in which
// they came. Calls from other entities, which are held while they wait, go ahead
// of them, and follow wait-die so that no circle of waiting can arise
// (Rosenkrantz, Stearns, Lewis: System Level Concurrency Control for Distributed
// Database Systems, 1978): one may wait only for a call whose chain began later
// than its own. To keep that true when the next one is let in, it is the one
// whose chain began last.

#pragma once

#include <cstddef>
#include <list>
#include <optional>

#include "actors/service/ticket.hpp"

namespace troupe {

/// The calls that wait for one entity.
class call_order {
public:
  /// `call` waits. False if it may not: it comes from an entity, and its chain
  /// began after that of whoever is served, `holder`, or together with that of
  /// another one that waits.
  bool add(ticket_ptr& call, const std::optional<call_root>& holder);

  /// The call whose turn it is. @pre not empty
  const invocation& front() const noexcept {
    return (nested_.empty() ? outer_ : nested_).front()->call();
  }

  /// Takes out whose turn it is; null if nobody waits.
  ticket_ptr next();

  bool empty() const noexcept { return nested_.empty() && outer_.empty(); }

  /// Takes those out that nobody waits for any more, and all if `all`.
  std::list<ticket_ptr> take_if(bool all);

private:
  std::list<ticket_ptr> nested_; // the one that began last comes first
  std::list<ticket_ptr> outer_;
};

} // namespace troupe
