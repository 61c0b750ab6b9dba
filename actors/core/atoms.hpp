// The verbs of the protocol. CAF 0.17 packs an atom into 64 bits: at most ten
// characters each.

#pragma once

#include <caf/atom.hpp>

namespace troupe::atom {

/// (describe) -> tree_node: yourself and those you keep.
using describe = caf::atom_constant<caf::atom("describe")>;

// -- supervision --------------------------------------------------------------

/// Start a child.
using start = caf::atom_constant<caf::atom("start")>;

/// Stop a child and keep its specification.
using terminate = caf::atom_constant<caf::atom("terminate")>;

/// Start a stopped child again.
using restart = caf::atom_constant<caf::atom("restart")>;

/// Forget the specification of a stopped child.
using erase = caf::atom_constant<caf::atom("erase")>;

/// List the children.
using children = caf::atom_constant<caf::atom("children")>;

/// Count the children.
using count = caf::atom_constant<caf::atom("count")>;

/// INTERNAL: the wait before a restart is over.
using retry = caf::atom_constant<caf::atom("retry")>;

/// INTERNAL: a child's time to stop is over.
using late = caf::atom_constant<caf::atom("late")>;

} // namespace troupe::atom
