#include "apps/bench/http_servers.hpp"

#include <cstdlib>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/machine.hpp"

namespace troupe::bench {

namespace {

/// The number behind "http://127.0.0.1:" in `text`; 0 if there is none.
uint16_t port_in(const std::string& text) {
  const std::string prefix = "http://127.0.0.1:";
  auto start = text.find(prefix);
  if (start == text.npos)
    return 0;
  return static_cast<uint16_t>(std::atoi(&text[start + prefix.size()]));
}

std::vector<std::string> node_command(std::vector<std::string> options,
                                      const std::string& store) {
  auto build = build_folder();
  std::vector<std::string> result{build / "bin" / "troupe", "node"};
  auto add = [&](std::string name, std::string value) {
    result.push_back(std::move(name));
    result.push_back(std::move(value));
  };
  add("--http.listen", "127.0.0.1:0");
  add("--http.threads", "1");
  add("--store", store);
  add("--log.level", "warn");
  add("--plugin", build / "lib" / "troupe_examples.so");
  result.insert(result.end(), options.begin(), options.end());
  return result;
}

} // namespace

echo_server::echo_server(const std::string& program, int core)
  : http_server({build_folder() / "bin" / program}, core) {
  std::string line;
  if (!process_.read_line(line))
    throw cannot_measure{program + " does not start"};
  port_ = static_cast<uint16_t>(std::atoi(line.c_str()));
}

node_server::node_server(int core, std::vector<std::string> options,
                         const std::string& store)
  : http_server(node_command(std::move(options), store), core) {
  for (std::string line; port_ == 0 && process_.read_line(line);)
    port_ = port_in(line);
  if (port_ == 0)
    throw cannot_measure{"the node does not start"};
}

} // namespace troupe::bench
