#include "apps/troupe/client/subscribe_wait.hpp"

#include <algorithm>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto poll_interval = 100ms;

constexpr auto passed_over = "passed_over";

/// Who can be asked: the node of the command line, and with several all of them.
std::vector<endpoint> nodes_of(const command_line& line) {
  std::vector<endpoint> result{line.node()};
  auto all = fetch_list(line, "nodes");
  if (all.size() > 1)
    for (auto& x : all)
      if (auto url = x.is_object() ? x.value("endpoint", "") : ""; !url.empty())
        result.emplace_back(url);
  return result;
}

/// What `node` says; nothing better than that it starts if it does not answer.
subscription_state ask(const endpoint& node, const std::string& path) {
  subscription_state result;
  try {
    auto found = fetch(node, path);
    if (!found.is_object())
      return result;
    result.state = found.value("state", result.state);
    if (auto error = found.find("brokerError");
        error != found.end() && error->is_string())
      result.error = *error;
  } catch (const error_exception&) {
    // Another one may have it.
  }
  return result;
}

/// What tells most: a node that tries knows more than one that stands by.
int weight(const subscription_state& x) {
  if (x.state == "connected")
    return 4;
  if (x.state == "connecting")
    return 3;
  if (x.state == passed_over)
    return 2;
  return x.state == "standby" ? 1 : 0;
}

subscription_state ask_all(const std::vector<endpoint>& nodes,
                           const std::string& path) {
  subscription_state best;
  for (auto& node : nodes)
    if (auto x = ask(node, path); weight(x) >= weight(best))
      best = x;
  return best;
}

} // namespace

subscription_state wait_until_connected(const command_line& line,
                                        const std::string& name,
                                        std::chrono::milliseconds time) {
  auto until = clock::now() + time;
  auto path = "/subscriptions/" + name;
  auto nodes = nodes_of(line);
  for (;;) {
    auto seen = ask_all(nodes, path);
    auto now = clock::now();
    if (seen.state == "connected" || now >= until)
      return seen;
    std::this_thread::sleep_for(
      std::min<clock::duration>(poll_interval, until - now));
  }
}

std::string describe(const std::string& name, const subscription_state& x) {
  if (x.state == "connected")
    return name + ": connected";
  auto why = x.error.empty() ? "" : " (" + printable(x.error) + ")";
  if (x.state == passed_over)
    return name + ": passed over by the nodes that answer" + why;
  return name + ": " + printable(x.state) + why
         + "; it is declared, and not connected yet: the nodes go on trying, "
           "and messages that are published meanwhile may not be collected";
}

} // namespace troupe::cli
