// Compiled as C++23 (see nodes/CMakeLists.txt) for one function of the standard
// library: std::string::resize_and_overwrite.

#include "nodes/http/socket_io.hpp"

#include <algorithm>

#include <sys/socket.h>

namespace troupe::http {

ssize_t receive_into(int fd, std::string& to, size_t max) {
  ssize_t received = 0;
  auto have = to.size();
  to.resize_and_overwrite(have + max, [&](char* data, size_t) {
    received = ::recv(fd, data + have, max, 0);
    return have + static_cast<size_t>(std::max<ssize_t>(received, 0));
  });
  return received;
}

} // namespace troupe::http
