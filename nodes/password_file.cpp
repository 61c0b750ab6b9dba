#include "nodes/password_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace troupe {

void expect_readable(const std::string& file) {
  errno = 0;
  std::ifstream in{file};
  // What is a folder can be opened.
  if (!in || (in.peek() == std::ifstream::traits_type::eof() && errno != 0))
    throw std::runtime_error{"cannot read '" + file
                             + "': " + std::strerror(errno)};
}

std::string read_password(const std::string& file) {
  if (file.empty())
    return {};
  expect_readable(file);
  std::ifstream in{file};
  std::string line;
  if (!std::getline(in, line))
    throw std::runtime_error{"there is no password in '" + file + "'"};
  return line;
}

} // namespace troupe
