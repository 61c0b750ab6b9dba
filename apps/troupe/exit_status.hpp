// How every subcommand ends; scripts lean on it.

#pragma once

namespace troupe::cli {

/// It is done.
inline constexpr int exit_done = 0;

/// It failed: an error from the node, or no node. The error is on stderr,
/// nothing on stdout.
inline constexpr int exit_failed = 1;

/// The command line is wrong, and nothing was done.
inline constexpr int exit_usage = 2;

} // namespace troupe::cli
