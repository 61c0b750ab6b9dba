#include "apps/troupe/node.hpp"

#include <cstdio>
#include <utility>

#include "apps/troupe/closed_pipe.hpp"
#include "apps/troupe/exit_status.hpp"
#include "nodes/node.hpp"
#include "nodes/options.hpp"

namespace troupe::cli {

namespace {

int refuse(const error& why) {
  if (why == errc::not_implemented) {
    std::fprintf(stderr, "error: not_implemented: %s (effect: none)\n",
                 why.message().c_str());
    return exit_failed;
  }
  std::fprintf(stderr,
               "troupe node: %s\nTry 'troupe node --help' for all options.\n",
               why.message().c_str());
  return exit_usage;
}

} // namespace

int run_node_command(const std::string& program,
                     const std::vector<std::string>& arguments) {
  auto parsed = parse_node_options(arguments, current_environment());
  if (!parsed)
    return refuse(parsed.error());
  if (parsed->help) {
    std::fputs(node_options_help().c_str(), stdout);
    return end_output(exit_done);
  }
  for (const auto& warning : parsed->warnings)
    std::fprintf(stderr, "troupe node: %s\n", warning.c_str());
  return run_node(std::move(parsed->options), program);
}

} // namespace troupe::cli
