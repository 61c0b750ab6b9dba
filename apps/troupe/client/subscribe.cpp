#include "apps/troupe/client/commands.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/client/subscribe_wait.hpp"
#include "apps/troupe/client/time_option.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::json;

constexpr const char* usage = R"(Usage: troupe subscribe COMMAND [options]

Messages of brokers that call functions and services. They are declared with
--subscribe, an option of every node, or here: every node of the cluster has them
within seconds, and after a restart as well.

  troupe subscribe list                how they go, on each node
  troupe subscribe show NAME           one of them, with its fields
  troupe subscribe add NAME FIELD:VALUE,...
                                       declare one, or change it
  troupe subscribe remove NAME         take no more of its messages

  troupe subscribe COMMAND --help      what a command takes
)";

constexpr const char* add_usage =
  R"(Usage: troupe subscribe add NAME FIELD:VALUE,... [options]

Declares a subscription, or changes it. The same again changes nothing. The
fields are those of --subscribe:

  troupe subscribe add meters \
    broker:mqtt://localhost,topic:meters/{key}/reading,service:counter,method:increment

A password-file is the name of a file in the folder that the nodes are started
with, --secrets-folder; so are ca, cert and cert-key.

It waits until a node is connected, so that what is published from then on comes,
and says how it is.
)";

constexpr std::chrono::milliseconds wait_default{5'000};

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
  command_line line{
    "Usage: troupe subscribe list [options]\n\n"
    "Lists the subscriptions of the cluster, on each of its nodes: whether it "
    "has the\nbroker's messages there, how many wait at the broker, and what "
    "became of those\nthat came. An error that is long is cut: show and --json "
    "have all of it.\n",
    {}};
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
  std::stable_sort(all.begin(), all.end(), [](auto& x, auto& y) {
    return cell(x, "name") < cell(y, "name");
  });
  table result{{"SUBSCRIPTION", "NODE", "STATE", "BROKER", "TOPIC", "TARGET",
                "LAG", "IN FLIGHT", "DONE", "RETRIED", "DEAD", "LAST ERROR"}};
  for (auto& x : all) {
    // Why a connection broke is of interest until there is one again.
    auto error = cell(x, "state") == "connected" ? "-" : cell(x, "brokerError");
    if (error == "-")
      error = cell(x, "lastFailure");
    result.add({cell(x, "name"), cell(x, "node"), cell(x, "state"),
                cell(x, "broker"), cell(x, "topic"), cell(x, "target"),
                cell(x, "lag"), cell(x, "inFlight"), cell(x, "succeeded"),
                cell(x, "retried"), cell(x, "deadLettered"),
                shortened(error, error_width)});
  }
  write_fitting(result, {"BROKER", "RETRIED", "IN FLIGHT", "TOPIC", "TARGET",
                         "DONE", "LAG", "NODE"});
}

std::string path_of(const command_line& line) {
  return std::string{path} + "/" + line.name("NAME");
}

void print(const json& x) {
  table result{{"SUBSCRIPTION", cell(x, "name")}};
  for (auto& [name, value] : x.items())
    if (name != "name" && name != "fields" && !value.is_null())
      result.add({printable(name), cell(x, name.c_str())});
  auto fields = x.value("fields", json::object());
  if (fields.is_object())
    for (auto& [name, value] : fields.items())
      if (!x.contains(name)) // as the node has it is enough
        result.add({printable(name) + ":", cell(fields, name.c_str())});
  write_stdout(result.to_string());
}

void show(const arguments& args) {
  command_line line{
    "Usage: troupe subscribe show NAME [options]\n\n"
    "Prints a subscription, as the node that is asked has it.\n",
    {"NAME"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto found = fetch(line, path_of(line));
  if (!found.is_object())
    refuse_answer(line.node(), path_of(line));
  if (!printed_json(line, found))
    print(found);
}

/// name:value,... as JSON; the node says what it thinks of them.
json read_fields(const std::string& name, const std::string& text) {
  if (auto equals = text.find('='); equals < text.find(':')) {
    if (text.find("broker:", equals) != equals + 1
        && text.find(",broker:", equals) == text.npos)
      throw usage_error{"a field has a colon after its name, as "
                        "broker:mqtt://localhost; '"
                        + text.substr(0, text.find(',')) + "' has none"};
    throw usage_error{"the name is an argument of its own: write troupe "
                      "subscribe add "
                      + name + " " + text.substr(equals + 1)};
  }
  auto result = json::object();
  for (size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    auto field = text.substr(begin, end - begin);
    auto colon = field.find(':');
    if (colon == field.npos || colon == 0)
      throw usage_error{"'" + field + "' is no field; write NAME:VALUE"};
    auto name = field.substr(0, colon);
    if (result.contains(name))
      throw usage_error{"'" + name + "' is given twice"};
    result[name] = field.substr(colon + 1);
    begin = end + 1;
  }
  return result;
}

void add(const arguments& args) {
  command_line line{add_usage, {"NAME", "FIELDS"}};
  add_listing_options(line);
  line.option("wait", "TIME",
              "How long to wait until it is connected, at most; 0 does not "
              "wait. Default: 5s.");
  if (!line.parse(args))
    return;
  auto wait = wait_default;
  if (auto text = line.value("wait"))
    wait = parse_time(*text, "wait", std::chrono::milliseconds{0});
  http_request request;
  request.method = "PUT";
  request.target = path_of(line);
  request.body = read_fields(line.name("NAME"), line.argument("FIELDS")).dump();
  request.content_type = "application/json";
  auto node = line.node();
  auto made = json::parse(send_checked(node, request).body, nullptr, false);
  if (!made.is_object())
    refuse_answer(node, request.target);
  std::optional<subscription_state> seen;
  if (wait.count() > 0)
    seen = wait_until_connected(line, line.name("NAME"), wait);
  if (seen)
    made["state"] = seen->state;
  if (seen && !seen->error.empty())
    made["brokerError"] = seen->error;
  if (printed_json(line, made))
    return;
  print(made);
  if (seen)
    write_stdout(describe(line.name("NAME"), *seen) + "\n");
}

void remove(const arguments& args) {
  command_line line{
    "Usage: troupe subscribe remove NAME [options]\n\n"
    "Ends a subscription that was declared with add. What is under way is the "
    "broker's\nagain if it is not done within 5 s. A broker of MQTT is asked "
    "to "
    "collect no more\nfor it; what it has collected, and a durable consumer, "
    "stay there.\n",
    {"NAME"}};
  if (!line.parse(args))
    return;
  http_request request;
  request.method = "DELETE";
  request.target = path_of(line);
  send_checked(line.node(), request);
}

constexpr subcommand subscribe_commands[] = {
  {"list", list}, {"show", show}, {"add", add}, {"remove", remove}};

} // namespace

void subscribe(const arguments& args) {
  if (args.empty())
    throw usage_error{"a command is missing: list, show, add or remove"};
  if (args.front() == "--help" || args.front() == "-h")
    return write_stdout(usage);
  run_subcommand("subscribe", subscribe_commands, args);
}

} // namespace troupe::cli
