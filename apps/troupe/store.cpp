#include "apps/troupe/store.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "apps/troupe/exit_status.hpp"
#include "nodes/options.hpp"
#include "nodes/store/store_copy.hpp"
#include "nodes/store/store_url.hpp"

namespace troupe::cli {

namespace {

namespace po = boost::program_options;

constexpr const char* help_text = R"(Usage: troupe store COMMAND [options]

Looks after the data of a node.

  troupe store check                   read all of it, and say what is there
  troupe store backup DEST             copy it to the folder DEST
  troupe store restore SRC             make a store of the backup in SRC

  troupe store COMMAND --help          what a command takes
)";

constexpr const char* check_help = R"(Usage: troupe store check [options]

Reads all of a store and says what is there; exits with 1 if something is
damaged. A node may run meanwhile.

)";

constexpr const char* backup_help = R"(Usage: troupe store backup DEST [options]

Copies a store to the folder DEST, which must not be there yet, and checks the
copy. A node may run meanwhile: the copy is of one moment.

)";

constexpr const char* restore_help =
  R"(Usage: troupe store restore SRC [options]

Makes a store of the backup in the folder SRC. No node may run.

)";

/// The command line is wrong; the text names what is.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What only one of the commands takes.
struct own_flag {
  const char* name = nullptr;
  const char* text = nullptr;
};

po::options_description described(const std::vector<own_flag>& flags) {
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
  for (auto& x : flags)
    if (x.name)
      add(x.name, x.text);
  add("help,h", "Print this text.");
  return result;
}

/// What was asked for.
struct request {
  po::variables_map options;
  std::vector<std::string> words;

  bool has(const char* name) const { return options.count(name) > 0; }
};

/// @param flags of all commands
request parse(const std::vector<std::string>& arguments,
              const std::vector<own_flag>& flags) {
  using style = po::command_line_style::style_t;
  request result;
  auto options = described(flags);
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
  if (x.is_in_use)
    return "running";
  return x.nodes.empty() && x.members == 0 ? "none" : "crashed";
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
          {"queued", x.queued},
          {"deadLettered", x.dead}};
}

void print_count(const std::string& what, uint64_t count,
                 const char* remark = "", int width = 12) {
  std::printf("%-*s %llu%s\n", width, what.c_str(),
              static_cast<unsigned long long>(count), count > 0 ? remark : "");
}

void print_services(const store_report& x) {
  size_t longest = 0;
  for (auto& [service, count] : x.entities)
    longest = std::max(longest, service.size());
  for (auto& [service, count] : x.entities)
    print_count("  " + service, count, "",
                std::max(12, static_cast<int>(longest) + 2));
}

/// Where no node has the folder alone.
std::string about_nodes(const store_report& x) {
  if (x.is_in_use)
    return std::to_string(x.members) + " of a cluster";
  if (x.members > 0)
    return "none; " + std::to_string(x.members)
           + " of a cluster did not stop cleanly";
  return x.is_unused() ? "none has had this folder: it is a copy"
                       : "none; the last one stopped cleanly";
}

void print_node(const store_report& x) {
  if (x.nodes.empty()) {
    std::printf("%-12s %s\n", "node", about_nodes(x).c_str());
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
  print_count("no state yet", x.uncommitted,
              " called, but nothing was stored; that is no damage");
  print_count("outcomes", x.outcomes);
  print_count("queued", x.queued, " calls that are done later");
  print_count("dead letters", x.dead);
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

  own_flag flag;

  const char* help;

  void (*run)(const request&);
};

constexpr command commands[]{
  {"check",
   nullptr,
   {"json", "Print JSON, for programs."},
   check_help,
   run_check},
  {"backup", "a folder for the backup", {}, backup_help, run_backup},
  {"restore",
   "the folder of a backup",
   {"force", "Move a store that is there to replaced-..., a folder in it."},
   restore_help,
   run_restore},
};

const command* find_command(const std::string& name) {
  for (auto& x : commands)
    if (name == x.name)
      return &x;
  return nullptr;
}

std::vector<own_flag> all_flags() {
  std::vector<own_flag> result;
  for (auto& x : commands)
    result.push_back(x.flag);
  return result;
}

void print_help(const command& x) {
  std::ostringstream options;
  options << described({x.flag});
  std::printf("%s%s", x.help, options.str().c_str());
}

void check_usage(const command& what, const request& x) {
  if (what.argument && x.words.size() < 2)
    throw usage_error{std::string{what.argument} + " is missing"};
  if (x.words.size() > (what.argument ? 2u : 1u))
    throw usage_error{"'" + x.words.back() + "' is too much"};
  for (auto& other : commands)
    if (other.flag.name && &other != &what && x.has(other.flag.name))
      throw usage_error{std::string{"there is no --"} + other.flag.name};
}

void run(const std::vector<std::string>& arguments) {
  auto x = parse(arguments, all_flags());
  auto what = x.words.empty() ? nullptr : find_command(x.words[0]);
  if (x.has("help") && what)
    return print_help(*what);
  if (x.has("help")) {
    std::fputs(help_text, stdout);
    return;
  }
  if (x.words.empty())
    throw usage_error{"check, backup or restore is missing"};
  if (!what)
    throw usage_error{"there is no '" + x.words[0] + "'"};
  check_usage(*what, x);
  what->run(x);
}

/// "troupe store", and the command if there is one.
std::string program_of(const std::vector<std::string>& arguments) {
  auto known = !arguments.empty() && find_command(arguments.front());
  return "troupe store" + (known ? " " + arguments.front() : "");
}

} // namespace

int run_store_command(const std::vector<std::string>& arguments) {
  try {
    run(arguments);
    return exit_done;
  } catch (const usage_error& e) {
    auto program = program_of(arguments);
    std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", program.c_str(),
                 e.what(), program.c_str());
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
