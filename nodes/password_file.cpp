#include "nodes/password_file.hpp"

#include <fstream>
#include <stdexcept>

namespace troupe {

std::string read_password(const std::string& file) {
  if (file.empty())
    return {};
  std::ifstream in{file};
  std::string line;
  if (!std::getline(in, line))
    throw std::runtime_error{"cannot read the password in '" + file + "'"};
  return line;
}

} // namespace troupe
