#include "apps/troupe/store.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "apps/troupe/exit_status.hpp"
#include "nodes/options.hpp"
#include "nodes/store/store_copy.hpp"
#include "nodes/store/store_url.hpp"

namespace troupe::cli {

namespace {

namespace po = boost::program_options;

constexpr const char* help_text = R"(Usage: troupe store check [options]
       troupe store backup DEST [options]
       troupe store restore SRC [options]

Looks after the data of a node.

  check         reads all of it and says what is there; exits with 1 if something
                is damaged. A node may run meanwhile.
  backup DEST   copies the store to the folder DEST, which must not be there
                yet, and checks the copy. A node may run meanwhile: the copy is
                of one moment.
  restore SRC   makes a store of the backup in the folder SRC. No node may run.

)";

/// The command line is wrong; the text names what is.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

po::options_description described() {
  constexpr unsigned width = 80;
  po::options_description result{"Options", width};
  auto text = [](const char* name) {
    return po::value<std::string>()->value_name(name);
  };
  auto add = result.add_options();
  add("store", text("URL"),
      "The store: sqlite:FOLDER. Default: $TROUPE_STORE, else the one in "
      "--data-dir.");
  add("data-dir", text("FOLDER"),
      "The data of the node. Default: $TROUPE_DATA_DIR, else ./troupe-data.");
  add("config", text("FILE"), "The node's file with options.");
  add("json", "check: print JSON.");
  add("force", "restore: move a store that is there to replaced-..., a folder "
               "in it.");
  add("help,h", "Print this text.");
  return result;
}

/// What was asked for.
struct request {
  po::variables_map options;
  std::vector<std::string> words;

  bool has(const char* name) const { return options.count(name) > 0; }
};

request parse(const std::vector<std::string>& arguments) {
  using style = po::command_line_style::style_t;
  request result;
  auto options = described();
  po::options_description all;
  all.add(options).add_options()(
    "words", po::value<std::vector<std::string>>(&result.words));
  po::positional_options_description words;
  words.add("words", -1);
  try {
    po::store(po::command_line_parser(arguments)
                .options(all)
                .positional(words)
                .style(style::unix_style & ~style::allow_guessing)
                .run(),
              result.options);
    po::notify(result.options);
  } catch (const po::error& e) {
    throw usage_error{e.what()};
  }
  return result;
}

/// The folder of the store, from where a node's options come from.
std::filesystem::path folder_of(const request& x) {
  std::vector<std::string> given;
  for (auto name : {"store", "data-dir", "config"})
    if (x.has(name))
      given.insert(given.end(), {std::string{"--"} + name,
                                 x.options[name].as<std::string>()});
  auto parsed = parse_node_options(given, current_environment());
  if (!parsed && parsed.error() == errc::bad_request)
    throw usage_error{parsed.error().message()};
  auto url = parse_store_url(parsed.value().options.store_url()).value();
  if (url.kind != store_url::scheme::sqlite)
    throw usage_error{"only a store sqlite:FOLDER can be checked and copied; a "
                      "PostgreSQL server has pg_dump and pg_basebackup"};
  return url.location;
}

// -- what is printed ---------------------------------------------------------

std::string as_time(int64_t ms) {
  auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/// "running", "none" or "crashed".
const char* node_state(const store_report& x) {
  return x.is_in_use ? "running" : x.nodes.empty() ? "none" : "crashed";
}

uint64_t total_of(const store_report& x) {
  return std::accumulate(
    x.entities.begin(), x.entities.end(), uint64_t{0},
    [](uint64_t sum, auto& entry) { return sum + entry.second; });
}

nlohmann::json to_json(const std::string& folder, const store_report& x) {
  nlohmann::json node{{"state", node_state(x)}};
  if (!x.nodes.empty())
    node.update({{"incarnation", x.nodes[0].incarnation},
                 {"pid", x.nodes[0].pid},
                 {"version", x.nodes[0].version},
                 {"startedAt", as_time(x.nodes[0].started_at_ms)}});
  return {{"store", "sqlite:" + folder},
          {"ok", x.problems.empty()},
          {"problems", x.problems},
          {"schema", {{"data", x.data_schema}, {"cluster", x.cluster_schema}}},
          {"node", std::move(node)},
          {"entities", total_of(x)},
          {"services", x.entities},
          {"deleted", x.deleted},
          {"uncommitted", x.uncommitted},
          {"outcomes", x.outcomes},
          {"messages", x.messages}};
}

void print_count(const std::string& what, uint64_t count, int width = 12) {
  std::printf("%-*s %llu\n", width, what.c_str(),
              static_cast<unsigned long long>(count));
}

void print_services(const store_report& x) {
  size_t longest = 0;
  for (auto& [service, count] : x.entities)
    longest = std::max(longest, service.size());
  for (auto& [service, count] : x.entities)
    print_count("  " + service, count,
                std::max(12, static_cast<int>(longest) + 2));
}

void print_node(const store_report& x) {
  if (x.nodes.empty()) {
    std::printf("%-12s none; the last one stopped cleanly\n", "node");
    return;
  }
  auto& node = x.nodes.front();
  auto since = as_time(node.started_at_ms);
  std::printf("%-12s %s %lld, Troupe %s, started %s%s\n", "node",
              x.is_in_use ? "process" : "none; process",
              static_cast<long long>(node.pid), node.version.c_str(),
              since.c_str(), x.is_in_use ? "" : ", did not stop cleanly");
}

void print(const std::string& folder, const store_report& x) {
  std::printf("%-12s sqlite:%s\n", "store", folder.c_str());
  std::printf("%-12s %d%s\n", "schema", x.data_schema,
              x.is_older ? ", older: a node migrates it at its start; nothing "
                           "but damage was looked for"
                         : "");
  print_node(x);
  if (x.is_older || (!x.problems.empty() && x.entities.empty()))
    return; // nothing was counted
  print_count("entities", total_of(x));
  print_services(x);
  print_count("deleted", x.deleted);
  print_count("uncommitted", x.uncommitted);
  print_count("outcomes", x.outcomes);
  print_count("messages", x.messages);
}

// -- the commands ------------------------------------------------------------

void run_check(const request& x) {
  auto folder = folder_of(x);
  auto report = check_store(folder).value();
  if (x.has("json"))
    std::puts(to_json(folder, report)
                .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                .c_str());
  else
    print(folder, report);
  if (report.problems.empty())
    return;
  std::string all;
  for (auto& problem : report.problems)
    all += "\n  " + problem;
  throw error_exception{
    error{errc::store_unavailable,
          "the store is damaged; a backup can take its place, see 'troupe "
          "store restore':"
            + all}};
}

void run_backup(const request& x) {
  auto report = backup_store(folder_of(x), x.words.at(1)).value();
  std::printf("Backed up %llu entities to %s\n",
              static_cast<unsigned long long>(total_of(report)),
              x.words.at(1).c_str());
}

void run_restore(const request& x) {
  auto folder = folder_of(x);
  auto done = restore_store(x.words.at(1), folder, x.has("force")).value();
  if (done.replaced)
    std::printf("Moved what was there to %s\n", done.replaced->c_str());
  std::printf("Restored %llu entities to %s\n",
              static_cast<unsigned long long>(total_of(done.report)),
              folder.c_str());
}

struct command {
  const char* name;

  /// What its argument is; null if it takes none.
  const char* argument;

  /// A flag that only it takes.
  const char* flag;

  void (*run)(const request&);
};

constexpr command commands[]{
  {"check", nullptr, "json", run_check},
  {"backup", "a folder for the backup", nullptr, run_backup},
  {"restore", "the folder of a backup", "force", run_restore},
};

void check_usage(const command& what, const request& x) {
  auto name = std::string{what.name};
  if (what.argument && x.words.size() < 2)
    throw usage_error{name + ": " + what.argument + " is missing"};
  if (x.words.size() > (what.argument ? 2u : 1u))
    throw usage_error{name + ": '" + x.words.back() + "' is too much"};
  for (auto& other : commands)
    if (other.flag && other.flag != what.flag && x.has(other.flag))
      throw usage_error{name + " takes no --" + other.flag};
}

void run(const std::vector<std::string>& arguments) {
  auto x = parse(arguments);
  if (x.has("help")) {
    std::fputs(help_text, stdout);
    std::ostringstream options;
    options << described();
    std::fputs(options.str().c_str(), stdout);
    return;
  }
  if (x.words.empty())
    throw usage_error{"check, backup or restore is missing"};
  for (auto& what : commands) {
    if (x.words[0] != what.name)
      continue;
    check_usage(what, x);
    return what.run(x);
  }
  throw usage_error{"there is no '" + x.words[0] + "'"};
}

} // namespace

int run_store_command(const std::vector<std::string>& arguments) {
  try {
    run(arguments);
    return exit_done;
  } catch (const usage_error& e) {
    std::fprintf(stderr, "troupe store: %s\nTry 'troupe store --help'.\n",
                 e.what());
    return exit_usage;
  } catch (const error_exception& e) {
    auto& why = e.reason();
    std::fprintf(stderr, "error: %s: %s (effect: %s)\n",
                 std::string{why.type()}.c_str(), why.message().c_str(),
                 to_string(why.what_happened()).data());
    return exit_failed;
  }
}

} // namespace troupe::cli
