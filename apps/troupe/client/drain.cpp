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

void wait_until_gone(const command_line& line, const std::string& node,
                     uint64_t seconds) {
  auto until = clock::now() + std::chrono::seconds{seconds};
  while (auto row = find_node(line, node)) {
    show(node, *row);
    if (clock::now() >= until) {
      end_show();
      throw error_exception{error{errc::deadline_exceeded, effect::unknown,
                                  "'" + node + "' has not left within "
                                    + std::to_string(seconds)
                                    + " s; it goes on leaving"}};
    }
    std::this_thread::sleep_for(poll_interval);
  }
  end_show();
}

} // namespace

void drain(const arguments& args) {
  command_line line{
    "Usage: troupe drain NODE [options]\n\n"
    "Has a node leave: it gives its shards to the others, "
    "finishes what is in\nflight, and ends. Returns when it has "
    "left the cluster.\n",
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
  if (!line.has("no-wait"))
    wait_until_gone(line, node, wait.value_or(wait_default));
}

} // namespace troupe::cli
