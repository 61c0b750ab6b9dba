// The command line that the echo servers of the bench share.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace troupe::bench {

struct echo_options {
  uint16_t port = 0;
  unsigned threads = 1;
};

/// Reads `--port P --threads N`; exits with 2 at anything else.
inline echo_options parse_echo_options(int argc, char** argv) {
  echo_options result;
  for (int i = 1; i < argc; i += 2) {
    auto value = i + 1 < argc ? std::atoi(argv[i + 1]) : -1;
    if (value >= 0 && std::strcmp(argv[i], "--port") == 0) {
      result.port = static_cast<uint16_t>(value);
    } else if (value > 0 && std::strcmp(argv[i], "--threads") == 0) {
      result.threads = static_cast<unsigned>(value);
    } else {
      std::cerr << "usage: " << argv[0] << " [--port P] [--threads N]\n";
      std::exit(2);
    }
  }
  return result;
}

/// The largest body that an echo server of the bench takes.
constexpr size_t echo_body_max = 64 * 1024 * 1024;

} // namespace troupe::bench
