// The verbs of the protocol. CAF 0.17 packs an atom into 64 bits: at most ten
// characters each.

#pragma once

#include <caf/atom.hpp>

namespace troupe::atom {

/// (describe) -> tree_node: yourself and those you keep.
using describe = caf::atom_constant<caf::atom("describe")>;

} // namespace troupe::atom
