#include "apps/troupe/client/commands.hpp"

#include <ctime>

#include <nlohmann/json.hpp>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/body_source.hpp"
#include "apps/troupe/client/listing.hpp"
#include "apps/troupe/client/output.hpp"

namespace troupe::cli {

namespace {

using json = nlohmann::json;

constexpr const char* usage = R"(Usage: troupe schedule COMMAND [options]

What is called again and again, or once at some time. Each firing is a queued
call: once in the cluster, whatever becomes of its nodes.

  troupe schedule list                 what there is, and when it fires next
  troupe schedule show NAME            one of them, with its next firings
  troupe schedule put NAME --expression E --target T
                                       make or change one
  troupe schedule pause NAME           let it not fire
  troupe schedule resume NAME          let it fire again
  troupe schedule delete NAME          forget it

  troupe schedule COMMAND --help       what a command takes

Expressions:
  rate(5 minutes)                      second(s), minute(s), hour(s), day(s)
  cron(0 8 ? * MON-FRI *)              as AWS EventBridge has them
  cron(0 8 * * 1-5)                    as crontab has them
  at(2026-03-29T02:30:00)              once
)";

std::string path_of(const command_line& line) {
  return "/schedules/" + line.name("NAME");
}

json send_for_json(const command_line& line, http_request request) {
  auto node = line.node();
  auto path = request.target;
  auto result = json::parse(send_checked(node, request).body, nullptr, false);
  if (!result.is_object())
    refuse_answer(node, path);
  return result;
}

/// Shorter is on its way.
constexpr int64_t late_after_s = 10;

/// How long ago a time was: "3 min"; empty if it was not.
std::string late_by(const std::string& time, int64_t now_s) {
  std::tm then{};
  if (!strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &then))
    return {};
  auto late = now_s - int64_t{timegm(&then)};
  if (late < late_after_s)
    return {};
  constexpr int64_t minute = 60, hour = 60 * minute, day = 24 * hour;
  return late < 2 * minute ? std::to_string(late) + " s"
         : late < 2 * hour ? std::to_string(late / minute) + " min"
         : late < 2 * day  ? std::to_string(late / hour) + " h"
                           : std::to_string(late / day) + " days";
}

std::string state_cell(const json& x) {
  if (x.contains("state"))
    return cell(x, "state");
  if (x.value("paused", false))
    return "paused";
  auto next = x.find("next");
  if (next == x.end() || !next->is_string())
    return "ended";
  auto late = late_by(next->get<std::string>(), std::time(nullptr));
  return late.empty() ? "active" : "late by " + late;
}

void print(const command_line& line, const json& x) {
  table result{{"SCHEDULE", cell(x, "name")}};
  result.add({"state", state_cell(x)});
  for (auto [title, member] : {std::pair{"expression", "expression"},
                               {"zone", "zone"},
                               {"target", "target"},
                               {"missed", "missed"},
                               {"priority", "priority"},
                               {"fired", "fired"},
                               {"skipped", "skipped"},
                               {"failed", "failed"},
                               {"last", "last"}})
    result.add({title, cell(x, member)});
  if (x.contains("lastCall"))
    result.add({"last call", cell(x, "lastCall") + " "
                               + state_of_call(line, cell(x, "lastCall"))});
  if (auto failure = x.find("lastFailure"); failure != x.end())
    result.add({"last failure",
                cell(*failure, "id") + " " + cell(*failure, "errorType")});
  if (auto input = x.find("input"); input != x.end() && !input->is_null())
    result.add({"input", printable(input->dump())});
  auto firings = x.value("nextFirings", json::array());
  for (size_t i = 0; i < firings.size(); ++i)
    result.add({i == 0 ? "next" : "", firings[i].is_string() ? printable(
                                        firings[i].get<std::string>())
                                                             : "-"});
  write_stdout(result.to_string());
}

void list(const arguments& args) {
  command_line line{"Usage: troupe schedule list [options]\n\n"
                    "Lists the schedules, when they fire next (UTC), and how "
                    "many of their calls "
                    "have\nfailed for good. A terminal that is too narrow "
                    "shows fewer columns.\n",
                    {}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto all = fetch_pages(line, "/schedules", "schedules");
  if (printed_json(line, all))
    return;
  table result{{"NAME", "STATE", "NEXT", "LAST", "FIRED", "FAILED", "SKIPPED",
                "TARGET", "ZONE", "EXPRESSION"}};
  for (auto& x : all)
    result.add({cell(x, "name"), state_cell(x), cell(x, "next"),
                cell(x, "last"), cell(x, "fired"), cell(x, "failed"),
                cell(x, "skipped"), cell(x, "target"), cell(x, "zone"),
                cell(x, "expression")});
  write_fitting(result, {"ZONE", "LAST", "SKIPPED", "TARGET", "FIRED", "NEXT"});
}

void show(const arguments& args) {
  command_line line{"Usage: troupe schedule show NAME [options]\n\n"
                    "Prints a schedule and its next firings (UTC).\n",
                    {"NAME"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  auto found = fetch(line, path_of(line));
  if (!printed_json(line, found))
    print(line, found);
}

std::string needed(const command_line& line, const char* option) {
  auto result = line.value(option);
  if (!result)
    throw usage_error{std::string{"--"} + option + " is missing"};
  return *result;
}

json spec_of(const command_line& line) {
  json result{{"expression", needed(line, "expression")},
              {"target", needed(line, "target")}};
  if (auto zone = line.value("zone"))
    result["zone"] = *zone;
  if (auto missed = line.value("missed")) {
    if (*missed != "skip" && *missed != "once" && *missed != "all")
      throw usage_error{"--missed must be skip, once or all, is '" + *missed
                        + "'"};
    result["missed"] = *missed;
  }
  if (auto text = line.value("priority")) {
    if (text->size() != 1 || text->front() < '0' || text->front() > '9')
      throw usage_error{"--priority must be 0 to 9, is '" + *text + "'"};
    result["priority"] = text->front() - '0';
  }
  if (auto data = line.value("data")) {
    result["input"] =
      json::parse(body_source::read(data).bytes, nullptr, false);
    if (result["input"].is_discarded())
      throw usage_error{"--data must be JSON"};
  }
  return result;
}

void put(const arguments& args) {
  command_line line{"Usage: troupe schedule put NAME --expression E --target T "
                    "[options]\n\n"
                    "Makes a schedule, or puts it in place of the one of this "
                    "name: what is not named\nis as by default then. The same "
                    "again changes nothing.\n",
                    {"NAME"}};
  line
    .option(
      "expression", "E",
      "When: rate(5 minutes), cron(0 8 * * 1-5), at(2026-03-29T02:30:00).")
    .option("target", "T",
            "What is called: a function (add, add:live), or "
            "SERVICE/KEY/METHOD.")
    .option("data,d", "DATA",
            "With what: JSON, @FILE, or - for stdin. "
            "Default: without arguments.")
    .option("zone", "Z", "Of local times: Europe/Berlin. Default: UTC.")
    .option("missed", "P",
            "What becomes of firings that nobody was there for: skip, once "
            "(the last one stands for all) or all. Default: once.")
    .option("priority", "N", "0 to 9; higher ones come first. Default: 4.");
  add_listing_options(line);
  if (!line.parse(args))
    return;
  http_request request;
  request.method = "PUT";
  request.target = path_of(line);
  request.body = spec_of(line).dump();
  request.content_type = "application/json";
  auto made = send_for_json(line, request);
  if (!printed_json(line, made))
    print(line, made);
}

void change(const arguments& args, const std::string& what,
            const std::string& help) {
  command_line line{
    "Usage: troupe schedule " + what + " NAME [options]\n\n" + help, {"NAME"}};
  add_listing_options(line);
  if (!line.parse(args))
    return;
  http_request request;
  request.method = "POST";
  request.target = path_of(line) + "/" + what;
  auto changed = send_for_json(line, request);
  if (!printed_json(line, changed))
    print(line, changed);
}

void pause(const arguments& args) {
  change(args, "pause",
         "Lets a schedule not fire until it is resumed. What is due meanwhile "
         "is not made up for.\n");
}

void resume(const arguments& args) {
  change(args, "resume", "Lets a schedule that was paused fire again.\n");
}

void remove(const arguments& args) {
  command_line line{"Usage: troupe schedule delete NAME [options]\n\n"
                    "Forgets a schedule. What it has fired goes on.\n",
                    {"NAME"}};
  if (!line.parse(args))
    return;
  http_request request;
  request.method = "DELETE";
  request.target = path_of(line);
  send_checked(line.node(), request);
}

constexpr subcommand schedule_commands[] = {
  {"list", list},   {"show", show},     {"put", put},
  {"pause", pause}, {"resume", resume}, {"delete", remove}};

} // namespace

void schedule(const arguments& args) {
  if (args.empty())
    throw usage_error{
      "a command is missing: list, show, put, pause, resume or delete"};
  if (args.front() == "--help" || args.front() == "-h")
    return write_stdout(usage);
  run_subcommand("schedule", schedule_commands, args);
}

} // namespace troupe::cli
