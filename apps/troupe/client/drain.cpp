#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include <unistd.h>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr uint64_t wait_default = 60;
constexpr uint64_t wait_max = 24 * 60 * 60;
constexpr auto poll_interval = 100ms;

/// The row of `node`; nothing if it has left. The node that is asked may be the
/// one that leaves: when nobody listens there any more, it has.
std::optional<nlohmann::json> find_node(const command_line& line,
                                        const std::string& node) {
  try {
    for (auto& x : fetch_list(line, "nodes"))
      if (x.value("id", "") == node)
        return x;
  } catch (const error_exception& e) {
    if (e.reason().type() != "no_node")
      throw;
  }
  return std::nullopt;
}

void show(const std::string& node, const nlohmann::json& row) {
  if (isatty(STDERR_FILENO))
    std::fprintf(stderr, "\r\x1b[K%s: %s, %s shards left",
                 printable(node).c_str(), cell(row, "state").c_str(),
                 cell(row, "shards").c_str());
}

void end_show() {
  if (isatty(STDERR_FILENO))
    std::fputs("\r\x1b[K", stderr);
}

[[noreturn]] void give_up(const std::string& node, const char* state,
                          uint64_t seconds) {
  throw error_exception{error{errc::deadline_exceeded, effect::unknown,
                              "'" + node + "' " + state + " within "
                                + std::to_string(seconds)
                                + " s; it goes on leaving"}};
}

/// Waits until it is no node of the cluster. @returns where it listens; empty if
/// that is not known
std::string wait_until_gone(const command_line& line, const std::string& node,
                            clock::time_point until, uint64_t seconds) {
  std::string url;
  while (auto row = find_node(line, node)) {
    url = row->value("endpoint", "");
    show(node, *row);
    if (clock::now() >= until) {
      end_show();
      give_up(node, "has not left", seconds);
    }
    std::this_thread::sleep_for(poll_interval);
  }
  end_show();
  return url;
}

/// An address that every machine takes for itself leads nowhere in particular.
bool is_of_any_machine(const std::string& url) {
  return url.starts_with("http://0.0.0.0:") || url.starts_with("http://[::]:");
}

/// Whether nobody listens there, or the next run of the node does already.
bool is_free(const endpoint& address, const std::string& node) {
  try {
    for (auto& x : fetch_list(address, "nodes"))
      if (x.value("id", "") == node)
        return true;
  } catch (const error_exception& e) {
    return e.reason().type() == "no_node";
  }
  return false;
}

/// Waits until another process may listen where it did: it closes its port for
/// peers before the one for HTTP.
void wait_until_free(const std::string& url, const std::string& node,
                     clock::time_point until, uint64_t seconds) {
  if (url.empty() || is_of_any_machine(url))
    return;
  endpoint address{url};
  while (!is_free(address, node)) {
    if (clock::now() >= until)
      give_up(node, "has left, but not freed its address", seconds);
    std::this_thread::sleep_for(poll_interval);
  }
}

} // namespace

void drain(const arguments& args) {
  command_line line{
    "Usage: troupe drain NODE [options]\n\n"
    "Has a node leave: it gives its shards to the others, "
    "finishes what is in\nflight, and ends. Returns when it has "
    "left the cluster and its ports are free.\n",
    {"NODE"}};
  line.option("wait", "SECONDS",
              "How long to wait until it has left, at most. Default: 60.");
  line.flag("no-wait", "Return at once.");
  if (!line.parse(args))
    return;
  auto& node = line.argument("NODE");
  auto wait = line.number("wait");
  if (wait && line.has("no-wait"))
    throw usage_error{"--wait and --no-wait exclude each other"};
  if (wait && *wait > wait_max)
    throw usage_error{"--wait is at most " + std::to_string(wait_max)};
  http_request request;
  request.method = "POST";
  request.target = "/cluster/drain?node=" + percent_encode(node);
  send_checked(line.node(), request);
  if (line.has("no-wait"))
    return;
  auto seconds = wait.value_or(wait_default);
  auto until = clock::now() + std::chrono::seconds{seconds};
  auto url = wait_until_gone(line, node, until, seconds);
  wait_until_free(url, node, until, seconds);
}

} // namespace troupe::cli
