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

/// (sweep): drop the calls that nobody waits for any more.
using sweep = caf::atom_constant<caf::atom("sweep")>;

/// (wake): look at what waits.
using wake = caf::atom_constant<caf::atom("wake")>;

/// (taken, request): the exposed actor is done with that message.
using taken = caf::atom_constant<caf::atom("taken")>;

/// (release, key): end the activation of that key; answered when it is gone.
using release = caf::atom_constant<caf::atom("release")>;

// -- the cluster --------------------------------------------------------------

/// (refresh): look at the store for who owns what.
using refresh = caf::atom_constant<caf::atom("refresh")>;

// -- routing ------------------------------------------------------------------

/// Reserve names for a module, and numbers for its versions.
using claim = caf::atom_constant<caf::atom("claim")>;

/// Make a change of the routes visible to callers.
using publish = caf::atom_constant<caf::atom("publish")>;

/// Point an alias to a version.
using alias = caf::atom_constant<caf::atom("alias")>;

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
