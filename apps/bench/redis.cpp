#include "apps/bench/redis.hpp"

#include <cstdlib>
#include <string>

#include <unistd.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/free_port.hpp"

namespace troupe::bench {

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
