// The verbs of the protocol. CAF 0.17 packs an atom into 64 bits: at most ten
// characters each.

#pragma once

#include <caf/atom.hpp>

namespace troupe::atom {

/// (describe) -> tree_node: yourself and those you keep.
using describe = caf::atom_constant<caf::atom("describe")>;

/// (drain): no new calls; exit when the last one is answered.
using drain = caf::atom_constant<caf::atom("drain")>;

/// (run): take the call that waits in your slot.
using run = caf::atom_constant<caf::atom("run")>;

/// (resume, wait): the coroutine of that wait may go on.
using resume = caf::atom_constant<caf::atom("resume")>;

/// (tick): time has passed.
using tick = caf::atom_constant<caf::atom("tick")>;

/// (wake): look at what waits.
using wake = caf::atom_constant<caf::atom("wake")>;

} // namespace troupe::atom
