#include "apps/bench/redis.hpp"

#include <cstdlib>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

namespace {

/// A port that was free a moment ago: Redis cannot choose one itself.
uint16_t free_port() {
  auto fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  auto good =
    fd >= 0 && ::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0;
  if (fd >= 0)
    ::close(fd);
  if (!good)
    throw cannot_measure{"there is no free port"};
  return ntohs(address.sin_port);
}

} // namespace

bool redis_server::is_installed() {
  for (auto name : {"redis-server", "redis-benchmark"})
    if (::access((std::string{"/usr/bin/"} + name).c_str(), X_OK) != 0)
      return false;
  return true;
}

redis_server::redis_server(int core) : port_(free_port()) {
  process_.emplace(
    std::vector<std::string>{"redis-server", "--bind", "127.0.0.1", "--port",
                             std::to_string(port_), "--appendonly", "yes",
                             "--appendfsync", "always", "--save", "", "--dir",
                             folder_.path().string(), "--daemonize", "no"},
    core);
  std::string line;
  while (process_->read_line(line))
    if (line.find("eady to accept connections") != line.npos)
      return;
  throw cannot_measure{"redis-server does not start"};
}

double redis_server::increment(unsigned keys, unsigned requests,
                               int core) const {
  child_process client{{"redis-benchmark", "-p", std::to_string(port_), "-c",
                        "64", "-n", std::to_string(requests), "-r",
                        std::to_string(keys), "--csv", "INCR",
                        "k:__rand_int__"},
                       core};
  std::string output;
  if (client.finish(output) != 0)
    throw cannot_measure{"redis-benchmark fails"};
  // "INCR k:__rand_int__","34000.00",...
  auto line = output.find("\"INCR");
  auto comma = line == output.npos ? line : output.find(",\"", line);
  if (comma == output.npos)
    throw cannot_measure{"redis-benchmark says something else than expected"};
  return std::strtod(&output[comma + 2], nullptr);
}

} // namespace troupe::bench
