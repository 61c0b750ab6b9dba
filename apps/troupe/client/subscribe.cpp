#include "apps/troupe/client/commands.hpp"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::json;

constexpr const char* usage = R"(Usage: troupe subscribe list [options]

Lists the subscriptions of the cluster, on each of its nodes: whether it has the
broker's messages there, how many wait at the broker, and what became of those
that came. A node declares them with --subscribe.
)";

constexpr const char* path = "/subscriptions";

/// Those of one node, each with the node's name.
void add(json& to, const endpoint& node) {
  auto body = fetch(node, path);
  auto list = body.is_object() ? body.find("subscriptions") : body.end();
  if (list == body.end() || !list->is_array())
    refuse_answer(node, path);
  for (auto& x : *list) {
    if (!x.is_object())
      refuse_answer(node, path);
    x["node"] = body.value("node", "");
    to.push_back(std::move(x));
  }
}

/// A node that does not answer has none to show, and is no reason to hide those
/// of the others.
void add_if_there(json& to, const json& node) {
  auto url = node.value("endpoint", "");
  if (url.empty())
    return;
  try {
    add(to, endpoint{url});
  } catch (const error_exception& e) {
    std::fprintf(stderr, "%s: %s\n", printable(node.value("id", url)).c_str(),
                 printable(e.reason().message()).c_str());
  }
}

void list(const arguments& args) {
  command_line line{usage, {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto nodes = fetch_list(line, "nodes");
  auto all = json::array();
  if (nodes.size() < 2)
    add(all, line.node());
  else
    for (auto& x : nodes)
      add_if_there(all, x);
  if (printed_json(line, all))
    return;
  table result{{"SUBSCRIPTION", "NODE", "STATE", "BROKER", "TOPIC", "TARGET",
                "LAG", "IN FLIGHT", "DONE", "DEAD", "LAST ERROR"}};
  for (auto& x : all) {
    auto error = cell(x, "brokerError");
    if (error == "-")
      error = cell(x, "lastFailure");
    result.add({cell(x, "name"), cell(x, "node"), cell(x, "state"),
                cell(x, "broker"), cell(x, "topic"), cell(x, "target"),
                cell(x, "lag"), cell(x, "inFlight"), cell(x, "succeeded"),
                cell(x, "deadLettered"), error});
  }
  write_stdout(result.to_string());
}

} // namespace

void subscribe(const arguments& args) {
  if (args.empty())
    throw usage_error{"there is no such command: try 'troupe subscribe list'"};
  if (args.front() == "list")
    return list({args.begin() + 1, args.end()});
  if (args.front().starts_with('-'))
    return list(args); // --help
  throw usage_error{"there is no command 'subscribe " + args.front() + "'"};
}

} // namespace troupe::cli
