#include "apps/troupe/client/client.hpp"

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "actors/core/errors.hpp"
#include "apps/troupe/client/commands.hpp"
#include "apps/troupe/client/output.hpp"
#include "apps/troupe/closed_pipe.hpp"
#include "apps/troupe/exit_status.hpp"

namespace troupe::cli {

namespace {

struct command {
  std::string_view name;
  void (*run)(const arguments&);
};

constexpr command commands[] = {
  {"invoke", invoke},
  {"call", call},
  {"map", map},
  {"keys", keys},
  {"state", state},
  {"delete", delete_entity},
  {"export", export_entities},
  {"import", import_entities},
  {"lock", lock},
  {"queue", queue},
  {"group", group},
  {"schedule", schedule},
  {"subscribe", subscribe},
  {"functions", functions},
  {"services", services},
  {"nodes", nodes},
  {"shards", shards},
  {"owner", owner},
  {"drain", drain},
  {"tree", tree},
};

/// Part of the fixed command line, for a later day.
constexpr std::string_view later_commands[] = {
  "deploy", "versions", "alias", "rollback", "logs", "top", "cost",
};

bool wants_help(const arguments& args) {
  return std::any_of(args.begin(), args.end(), [](const std::string& x) {
    return x == "--help" || x == "-h";
  });
}

void run_later(const std::string& name, const arguments& args) {
  if (!wants_help(args))
    throw error_exception{
      error{errc::not_implemented, "'troupe " + name + "' is not built yet"}};
  write_stdout("troupe " + name
               + " belongs to the command line, but is not built yet.\n");
}

void run(const std::string& name, const arguments& args) {
  for (const auto& x : commands)
    if (x.name == name)
      return x.run(args);
  for (auto x : later_commands)
    if (x == name)
      return run_later(name, args);
  throw usage_error{"there is no command '" + name + "'"};
}

bool is_command(const std::string& name) {
  return std::any_of(std::begin(commands), std::end(commands),
                     [&](const command& x) { return x.name == name; });
}

/// Whose --help says more: "troupe call", "troupe lock release".
std::string program_of(const std::string& name, const arguments& args) {
  if (!is_command(name))
    return "troupe";
  auto is_sub = name == "lock" && !args.empty() && is_lock_command(args[0]);
  return "troupe " + name + (is_sub ? " " + args[0] : "");
}

int report_usage(const std::string& of, const char* why) {
  std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", of.c_str(),
               printable(why).c_str(), of.c_str());
  return exit_usage;
}

int report(const error& why) {
  std::fprintf(stderr, "error: %s: %s (effect: %s)\n",
               printable(std::string{why.type()}).c_str(),
               printable(why.message()).c_str(),
               to_string(why.what_happened()).data());
  return exit_failed;
}

int run_guarded(const std::string& name, const arguments& args) {
  try {
    run(name, args);
    return exit_done;
  } catch (const exit_request& e) {
    return e.status;
  } catch (const closed_pipe&) {
    return end_by_sigpipe();
  } catch (const usage_error& e) {
    auto of = program_of(name, args);
    return report_usage(e.command().empty() ? of : of + " " + e.command(),
                        e.what());
  } catch (const error_exception& e) {
    return report(e.reason());
  } catch (const reported_failure&) {
    return exit_failed;
  } catch (const std::exception& e) {
    return report(error{errc::internal_error, e.what()});
  }
}

} // namespace

} // namespace troupe::cli

extern "C" __attribute__((visibility("default"))) int
troupe_client_main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  std::signal(SIGPIPE, SIG_IGN);
  return troupe::cli::run_guarded(argv[1], {argv + 2, argv + argc});
}
