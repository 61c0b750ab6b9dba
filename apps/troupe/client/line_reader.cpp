#include "apps/troupe/client/line_reader.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/stat.h>

#include "apps/troupe/client/commands.hpp"

namespace troupe::cli {

namespace {

/// More than any node takes, and less than what a file without lines would fill.
constexpr size_t line_bytes_max = size_t{64} << 20;

FILE* open(const std::string& path) {
  auto result = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (!result)
    throw usage_error{"cannot read the file '" + path
                      + "': " + std::strerror(errno)};
  return result;
}

uint64_t size_of(FILE* file) {
  struct stat status {};
  return fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode)
           ? static_cast<uint64_t>(status.st_size)
           : 0;
}

} // namespace

line_reader::line_reader(const std::string& path)
  : file_(open(path)), size_(size_of(file_.get())) {}

std::optional<std::string> line_reader::next() {
  std::string result;
  int c = 0;
  while ((c = getc_unlocked(file_.get())) != EOF && c != '\n') {
    if (result.size() == line_bytes_max)
      throw bad_line{"it is longer than 64 MiB"};
    result += static_cast<char>(c);
  }
  if (std::ferror(file_.get()))
    throw bad_line{std::string{"it cannot be read: "} + std::strerror(errno)};
  if (c == EOF && result.empty())
    return std::nullopt;
  position_ += result.size() + (c == '\n' ? 1 : 0);
  return result;
}

error retold(const error& reason, std::string text) {
  if (reason == errc::handler_failed)
    return error::from_handler(std::string{reason.type()}, std::move(text))
      .with_effect(reason.what_happened());
  return {reason.code(), reason.what_happened(), std::move(text)};
}

} // namespace troupe::cli
