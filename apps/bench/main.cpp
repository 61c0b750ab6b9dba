// `troupe_bench`: what `./dev bench` runs. Each figure stands beside a bare
// baseline that was measured in the same run, round by round in turn.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include <boost/program_options.hpp>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/machine.hpp"
#include "apps/bench/report.hpp"

namespace {

using namespace troupe::bench;
namespace po = boost::program_options;

constexpr benchmark all_benchmarks[] = {
  {"actor", "a call from a CAF actor, against a CAF request",
   call_from_an_actor},
  {"blocking", "a call from a plain thread, against a scoped_actor request",
   blocking_call},
  {"forward", "a call that goes to a peer, against a CAF remote request",
   forwarded_call},
  {"echo", "HTTP echo of 128 bytes, against Beast and RESTinio", http_echo},
  {"latency", "HTTP echo on 10 connections, p50 against Beast", http_latency},
  {"large", "HTTP echo of 6 MB, against Beast", http_large_bodies},
  {"memory", "PSS of an idle node", idle_memory},
  {"isolation", "p99 of a function beside one that fails", isolation},
  {"overload", "ten times more calls than can be served", overload},
  {"durable", "durable calls over HTTP, against the node's echo and Redis",
   durable_http},
  {"commit", "durable calls of one key in-process, against SQLite alone",
   durable_in_process},
  {"postgres", "durable calls on PostgreSQL, against pgbench",
   durable_postgres},
  {"durability", "p99 at half load, and the first call of a new entity",
   durable_latency},
  {"queue", "queued calls over HTTP, against SQLite alone, and with a backlog",
   queued_http},
  {"queue-peers", "queued calls, against JetStream, RabbitMQ and SKIP LOCKED",
   queue_peers},
  {"entities", "a million idle entities, against as many CAF actors",
   idle_entities},
  {"nodes", "a cluster of 1 to 4 nodes on this machine, and what bounds it",
   several_nodes},
  {"nodes-pg", "the same on PostgreSQL: 1,000 keys", several_nodes_postgres},
};

constexpr auto intro = R"(usage: troupe_bench [options]

Measures Troupe beside bare baselines that do the same work without it: CAF
actors, and HTTP servers on Boost.Beast and RESTinio, compiled with the same
flags. All call the examples plugin, with deadlines, metering and supervision
on. Each figure is the median of alternating rounds; `ratio` is the median of
the rounds' own ratios. HTTP servers have one core, their clients another one;
nodes of a cluster and their clients share all.
Other work on the machine disturbs it; ratios hold better than figures.

Exit status: 0 measured, 1 something could not be measured, 2 usage. A figure
that misses its mark is no failure of the bench.

)";

struct command_line {
  settings how;
  std::vector<std::string> only;
  std::string json_file;
  bool list = false;
  bool help = false;
};

po::options_description describe_options() {
  po::options_description result{"Options"};
  auto add = result.add_options();
  add("only", po::value<std::vector<std::string>>()->value_name("NAME"),
      "Only this benchmark; may be given several times.");
  add("rounds", po::value<unsigned>()->value_name("N")->default_value(3),
      "Alternating rounds of each figure.");
  add("quick", "A third of the time, for a first look.");
  add("json", po::value<std::string>()->value_name("FILE"),
      "Write figures and rounds there too.");
  add("list", "List the benchmarks.");
  add("help,h", "Print this text.");
  return result;
}

const benchmark* find(const std::string& name) {
  auto end = std::end(all_benchmarks);
  auto i = std::find_if(std::begin(all_benchmarks), end,
                        [&](auto& x) { return name == x.name; });
  return i == end ? nullptr : i;
}

/// @throws po::error
command_line parse(int argc, char** argv) {
  po::variables_map given;
  po::store(po::command_line_parser(argc, argv)
              .options(describe_options())
              .positional({})
              .run(),
            given);
  po::notify(given);
  command_line result;
  result.how.rounds = given["rounds"].as<unsigned>();
  if (result.how.rounds == 0)
    throw po::error{"--rounds must be 1 or more"};
  result.how.hurry = given.count("quick") ? 3 : 1;
  result.list = given.count("list") > 0;
  result.help = given.count("help") > 0;
  if (given.count("json"))
    result.json_file = given["json"].as<std::string>();
  if (given.count("only"))
    result.only = given["only"].as<std::vector<std::string>>();
  for (auto& name : result.only)
    if (!find(name))
      throw po::error{"there is no benchmark '" + name + "'; see --list"};
  return result;
}

void print_list() {
  for (auto& x : all_benchmarks)
    std::printf("%-10s %s\n", x.name, x.what);
}

bool wanted(const command_line& given, const benchmark& x) {
  return given.only.empty()
         || std::find(given.only.begin(), given.only.end(), x.name)
              != given.only.end();
}

/// False if it could not be measured.
bool run(const benchmark& x, const settings& how) {
  try {
    x.run(how);
    return true;
  } catch (const std::exception& e) {
    std::printf("%s: not measured: %s\n", x.name, e.what());
    return false;
  }
}

void print_summary(const std::vector<figure>& figures) {
  auto required = std::count_if(figures.begin(), figures.end(),
                                [](auto& x) { return x.required.has_value(); });
  auto met = std::count_if(figures.begin(), figures.end(), [](auto& x) {
    return x.required.has_value() && x.met();
  });
  std::printf("\n%td of %td figures reach what is required\n", met, required);
}

void print_what_is_measured(const command_line& given,
                            const std::string& machine) {
  std::printf("Measured on %s.\n", machine.c_str());
  std::printf("Calls go to the examples plugin, with deadlines, metering and "
              "supervision on. A figure is the\nmedian of %u alternating "
              "rounds of baseline and ours. HTTP: server on one core, clients "
              "on another.\n",
              given.how.rounds);
  for (auto& x : all_benchmarks)
    if (wanted(given, x))
      std::printf("  %-10s %s\n", x.name, x.what);
  std::printf("\n%s", table_head().c_str());
  std::fflush(stdout);
}

int run_all(command_line given) {
  auto machine = describe_machine();
  print_what_is_measured(given, machine);
  std::vector<figure> figures;
  given.how.report = [&](figure x) {
    std::fputs(table_row(x).c_str(), stdout);
    std::fflush(stdout);
    figures.push_back(std::move(x));
  };
  auto complete = true;
  for (auto& x : all_benchmarks)
    if (wanted(given, x))
      complete = run(x, given.how) && complete;
  print_summary(figures);
  if (given.json_file.empty())
    return complete ? 0 : 1;
  std::ofstream out{given.json_file};
  out << to_json(machine, figures);
  if (!out.flush()) {
    std::fprintf(stderr, "cannot write %s\n", given.json_file.c_str());
    return 1;
  }
  return complete ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  command_line given;
  try {
    given = parse(argc, argv);
  } catch (const po::error& e) {
    std::fprintf(stderr, "troupe_bench: %s\n", e.what());
    return 2;
  }
  if (given.help) {
    std::fputs(intro, stdout);
    std::ostringstream options;
    options << describe_options();
    std::fputs(options.str().c_str(), stdout);
    return 0;
  }
  if (given.list) {
    print_list();
    return 0;
  }
  return run_all(std::move(given));
}
