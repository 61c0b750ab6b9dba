// The servers that the HTTP figures call, each a process of its own on one
// core.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/bench/child_process.hpp"

namespace troupe::bench {

class http_server {
public:
  uint16_t port() const noexcept { return port_; }

  pid_t id() const noexcept { return process_.id(); }

protected:
  http_server(const std::vector<std::string>& command, int core)
    : process_(command, core) {}

  child_process process_;
  uint16_t port_ = 0;
};

/// A baseline of this folder: prints its port, echoes whatever path is called.
class echo_server : public http_server {
public:
  /// @throws cannot_measure if it was not built
  echo_server(const std::string& program, int core);
};

/// `troupe node` with the examples.
class node_server : public http_server {
public:
  /// @param core -1: any
  explicit node_server(int core, std::vector<std::string> options = {},
                       const std::string& store = "memory:");
};

} // namespace troupe::bench
