#include "apps/troupe/client/terminal.hpp"

#include <algorithm>

#include <sys/ioctl.h>
#include <unistd.h>

namespace troupe::cli {

std::optional<size_t> terminal_width() {
  constexpr size_t usual = 80;
  constexpr size_t least = 20;
  if (!isatty(STDOUT_FILENO))
    return std::nullopt;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return usual;
  return std::max<size_t>(size.ws_col, least);
}

} // namespace troupe::cli
