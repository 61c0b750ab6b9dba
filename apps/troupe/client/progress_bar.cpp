#include "apps/troupe/client/progress_bar.hpp"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

namespace troupe::cli {

std::string to_string(const progress& x, std::chrono::duration<double> since) {
  constexpr size_t width = 30;
  std::string result;
  if (x.size > 0) {
    auto part = std::min(1.0, static_cast<double>(x.position)
                                / static_cast<double>(x.size));
    auto full = static_cast<size_t>(part * width);
    auto percent = std::to_string(static_cast<int>(part * 100));
    result.append("[").append(full, '#').append(width - full, ' ').append("] ");
    result.append(3 - percent.size(), ' ').append(percent).append("%  ");
  }
  result.append(std::to_string(x.done)).append(" done, ");
  if (x.failed > 0)
    result.append(std::to_string(x.failed)).append(" failed, ");
  auto seconds = std::max(since.count(), 0.001);
  auto rate = static_cast<uint64_t>(static_cast<double>(x.done) / seconds);
  return result.append(std::to_string(rate)).append("/s");
}

progress_bar::progress_bar() : watched_(isatty(STDERR_FILENO) != 0) {}

void progress_bar::show(const progress& x) {
  if (!watched_)
    return;
  std::fprintf(stderr, "\r%s\x1b[K",
               to_string(x, clock::now() - begin_).c_str());
  is_shown_ = true;
}

void progress_bar::clear() {
  if (is_shown_)
    std::fputs("\r\x1b[K", stderr);
  is_shown_ = false;
}

void progress_bar::finish(const progress& x) {
  clear();
  if (watched_)
    std::fprintf(stderr, "%s\n", to_string(x, clock::now() - begin_).c_str());
}

} // namespace troupe::cli
