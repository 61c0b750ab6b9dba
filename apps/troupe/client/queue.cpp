#include "apps/troupe/client/commands.hpp"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "actors/core/base64.hpp"
#include "actors/core/errors.hpp"
#include "actors/model/utf8.hpp"

#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/client/terminal.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::json;

constexpr const char* usage = R"(Usage: troupe queue [COMMAND] [options]

Calls that were queued (troupe invoke --async): how many wait in each lane, which
are the functions and services, and since when.

  troupe queue                         how much there is
  troupe queue list                    what waits
  troupe queue list --state dead_lettered
  troupe queue show ID                 what became of one
  troupe queue redrive ID | --lane L | --all    try dead letters again
  troupe queue purge ID | --lane L | --all      remove dead letters

  troupe queue COMMAND --help          what a command takes
)";

/// Of one request.
constexpr uint64_t page = 1000;

void add_lane_option(command_line& line) {
  line.option("lane", "L",
              "Of this function, or service with a slash (counter/), alone.");
}

std::string lane_part(const command_line& line) {
  auto lane = line.value("lane");
  return lane ? "&lane=" + percent_encode(*lane) : std::string{};
}

void add_internal_option(command_line& line) {
  line.flag("all", "Also what schedules, groups and subscriptions keep there: "
                   "their reminders.");
}

void counts(const arguments& args) {
  command_line line{usage, {}};
  add_internal_option(line);
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto lanes = fetch(line, line.has("all") ? "/queue?internal=true" : "/queue")
                 .at("lanes");
  if (printed_json(line, lanes))
    return;
  table result{{"LANE", "QUEUED", "RUNNING", "DEAD", "OLDEST"}};
  for (auto& x : lanes)
    result.add({cell(x, "lane"), cell(x, "queued"), cell(x, "running"),
                cell(x, "deadLettered"), cell(x, "oldest")});
  write_stdout(result.to_string());
}

std::string error_cell(const json& x) {
  auto error = x.find("error");
  if (error == x.end() || !error->is_object())
    return "-";
  auto message = cell(*error, "errorMessage");
  return cell(*error, "errorType") + (message == "-" ? "" : ": " + message);
}

/// Of a list on a terminal: a key may be long.
constexpr size_t target_width = 24;

/// On a terminal, no line is wider than it.
void print(const json& all) {
  auto width = terminal_width();
  table result{
    {"ID", "TARGET", "PRIORITY", "ATTEMPTS", "SINCE", "DUE", "LAST ERROR"}};
  for (auto& x : all)
    result.add(
      {cell(x, "id"),
       width ? shortened(cell(x, "target"), target_width) : cell(x, "target"),
       cell(x, "priority"), cell(x, "attempts"), cell(x, "createdAt"),
       cell(x, "dueAt"),
       width ? error_cell(x)
             : shortened(printable(error_cell(x)), error_width)});
  write_fitting(result, {"PRIORITY", "DUE", "SINCE", "ATTEMPTS"});
}

void list(const arguments& args) {
  command_line line{"Usage: troupe queue list [options]\n\n"
                    "Lists queued calls, the oldest first. A terminal that is "
                    "too narrow shows fewer\ncolumns, and an error that is "
                    "long is cut: show and --json have all of it.\n",
                    {}};
  line.option("state", "S",
              "queued, running or dead_lettered. Default: queued.");
  add_lane_option(line);
  line.option("limit", "N", "So many at most. Default: 100.");
  add_internal_option(line);
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto state = line.value("state").value_or("queued");
  if (state != "queued" && state != "running" && state != "dead_lettered")
    throw usage_error{"--state must be queued, running or dead_lettered, is '"
                      + state + "'"};
  auto missing = line.number("limit").value_or(100);
  auto all = json::array();
  auto has_more = false;
  std::string after;
  while (missing > 0) {
    // A page of reminders alone shows none.
    auto limit = line.has("all") ? std::min(missing, page) : page;
    auto found =
      fetch(line, "/queue/invocations?state=" + state + lane_part(line) + after
                    + (line.has("all") ? "&internal=true" : "")
                    + "&limit=" + std::to_string(limit));
    for (auto& x : found.at("invocations")) {
      has_more = missing == 0;
      if (has_more)
        break;
      all.push_back(x);
      --missing;
    }
    if (found.at("next").is_null())
      break;
    has_more |= missing == 0;
    after = "&after=" + found["next"].get<std::string>();
  }
  if (printed_json(line, all))
    return;
  print(all);
  if (has_more)
    std::fputs("There may be more: --limit N shows N.\n", stderr);
}

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    auto length = utf8_length(bytes);
    auto c = static_cast<unsigned char>(bytes.front());
    if (length == 0 || (c < ' ' && c != '\n' && c != '\r' && c != '\t'))
      return false;
    bytes.remove_prefix(length);
  }
  return true;
}

/// What is not said of the invocation anyway. Arguments that are text, and no
/// JSON, are there as such, and not in Base64.
json call_part(const json& invocation, json call) {
  if (auto i = call.find("argumentsBase64"); i != call.end() && i->is_string())
    if (auto bytes = from_base64(i->get<std::string>());
        bytes && is_text(*bytes)) {
      call.erase(i);
      call["argumentsText"] = std::move(*bytes);
    }
  for (auto& [name, value] : invocation.items())
    if (auto i = call.find(name); i != call.end() && *i == value)
      call.erase(i);
  return call;
}

void show(const arguments& args) {
  command_line line{"Usage: troupe queue show ID [options]\n\n"
                    "Prints what became of a queued call, as JSON. While it "
                    "waits or runs, and when it\nis a dead letter, 'call' has "
                    "its arguments (text that is no JSON as argumentsText,\n"
                    "other bytes as argumentsBase64), and where it comes "
                    "from.\n",
                    {"ID"}};
  line.flag("json", "As it is printed anyway.");
  if (!line.parse(args))
    return;
  auto path = "/invocations/" + percent_encode(line.argument("ID"));
  auto found = fetch(line, path);
  if (!found.is_object())
    refuse_answer(line.node(), path);
  // It may have ended meanwhile.
  if (auto call = fetch_if_any(line, path + "/call"); call.is_object())
    found["call"] = call_part(found, std::move(call));
  write_stdout(found.dump(2) + "\n");
}

/// How many there are now of what is to be changed: a dead letter that dies again
/// at once is not tried for ever.
uint64_t count_now(const command_line& line, const std::string& state) {
  auto lane = line.value("lane");
  uint64_t result = 0;
  auto all = fetch(line, "/queue?internal=true");
  for (auto& x : all.at("lanes"))
    if (!lane || x.at("lane") == *lane)
      result += x.at(state).get<uint64_t>();
  return result;
}

/// The ways in which it is said what is to be changed.
std::string given_ways(const command_line& line) {
  std::string result;
  auto add = [&](const std::string& text) {
    result += (result.empty() ? "" : " and ") + text;
  };
  if (auto id = line.optional_argument("ID"))
    add("the ID " + *id);
  if (auto lane = line.value("lane"))
    add("--lane " + *lane);
  if (line.has("all"))
    add("--all");
  return result;
}

/// Changes what is selected, page by page, and prints how many there were.
void change(const command_line& line, const std::string& what,
            const std::string& more) {
  auto id = line.optional_argument("ID");
  auto given = int{id.has_value()} + int{line.value("lane").has_value()}
               + int{line.has("all")};
  if (given == 0)
    throw usage_error{"which? ID, --lane or --all"};
  if (given > 1)
    throw usage_error{given_ways(line)
                      + " exclude each other: which is meant?"};
  if (line.has("all") && !more.empty())
    throw usage_error{"what is queued is purged by ID or --lane"};
  auto node = line.node();
  auto most =
    id ? 1 : count_now(line, more.empty() ? "deadLettered" : "queued");
  uint64_t sum = 0;
  for (auto again = true; again;) {
    http_request request;
    request.method = "POST";
    request.target = "/queue/" + what + "?limit=" + std::to_string(page) + more
                     + lane_part(line)
                     + (id ? "&id=" + percent_encode(*id) : "")
                     + (line.has("all") ? "&all=true" : "");
    request.timeout = std::chrono::milliseconds{35'000};
    auto answer = json::parse(send_checked(node, request).body, nullptr, false);
    if (!answer.is_object() || !answer["count"].is_number_unsigned())
      refuse_answer(node, "/queue/" + what);
    auto count = answer["count"].get<uint64_t>();
    sum += count;
    again = count == page && sum < most;
  }
  if (id && sum == 0)
    throw error_exception{
      error{errc::not_found, more.empty() ? "no dead letter has this id"
                                          : "no call that waits has this id"}};
  write_stdout(std::to_string(sum) + "\n");
}

void redrive(const arguments& args) {
  command_line line{"Usage: troupe queue redrive ID | --lane L | --all\n\n"
                    "Has dead letters tried again, with all their attempts, "
                    "and prints how many there were.\n",
                    {"[ID]"}};
  add_lane_option(line);
  line.flag("all", "All of them.");
  if (line.parse(args))
    change(line, "redrive", "");
}

void purge(const arguments& args) {
  command_line line{"Usage: troupe queue purge ID | --lane L | --all\n\n"
                    "Removes dead letters, or what waits, for ever, and prints "
                    "how many there were.\n",
                    {"[ID]"}};
  add_lane_option(line);
  line.flag("all", "All dead letters.")
    .flag("queued", "What waits, in place of dead letters: by ID or --lane.");
  if (line.parse(args))
    change(line, "purge", line.has("queued") ? "&state=queued" : "");
}

constexpr subcommand queue_commands[] = {
  {"list", list}, {"show", show}, {"redrive", redrive}, {"purge", purge}};

} // namespace

void queue(const arguments& args) {
  if (args.empty() || args.front().starts_with('-'))
    return counts(args);
  run_subcommand("queue", queue_commands, args);
}

} // namespace troupe::cli
