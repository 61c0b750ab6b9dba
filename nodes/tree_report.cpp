#include "nodes/tree_report.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace troupe {

namespace {

json to_json(const tree_node& x) {
  auto children = json::array();
  for (auto& child : x.children)
    children.push_back(to_json(child));
  return {{"kind", x.kind},
          {"name", x.name},
          {"state", x.state},
          {"restarts", x.restarts},
          {"lastReason", x.last_reason},
          {"queue", x.queue},
          {"handler", x.handler},
          {"runningUs", x.running_us},
          {"children", std::move(children)}};
}

} // namespace

tree_node describe(const subscription_view& x) {
  tree_node result;
  result.kind = "subscription";
  result.name = x.what->name;
  result.state = x.is_here ? std::string{to_string(x.source.state)} : "standby";
  result.restarts =
    static_cast<uint32_t>(std::max<uint64_t>(x.source.connections, 1) - 1);
  result.queue = static_cast<uint32_t>(x.source.in_flight);
  result.last_reason = x.source.last_error;
  return result;
}

json tree_json(tree_node root, const beside_the_tree& more) {
  for (auto& x : root.children)
    if (x.kind == "dispatcher")
      x.queue = more.work_running;
  for (auto& x : more.subscriptions)
    root.children.push_back(x);
  return json::array({to_json(root)});
}

} // namespace troupe
