// How a command ends whose stdout takes no more: if nobody reads it any more, as
// other tools do, by SIGPIPE and silently.

#pragma once

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "apps/troupe/exit_status.hpp"

namespace troupe::cli {

/// Also where SIGPIPE is ignored, by this program or by whoever started it.
inline int end_by_sigpipe() {
  constexpr int as_shells_say = 128 + SIGPIPE;
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  return as_shells_say; // it is blocked
}

/// `status`, if all that was printed could be written.
inline int end_output(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0)
    return status;
  if (errno == EPIPE)
    return end_by_sigpipe();
  std::fprintf(stderr,
               "error: internal_error: cannot write to stdout: %s "
               "(effect: ran)\n",
               std::strerror(errno));
  return exit_failed;
}

} // namespace troupe::cli
