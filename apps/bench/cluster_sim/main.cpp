// `troupe_cluster_sim`: how the membership of a cluster does with many nodes.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/program_options.hpp>
#include <malloc.h>

#include "apps/bench/benchmark.hpp"
#include "apps/bench/cluster_sim/plot.hpp"
#include "apps/bench/cluster_sim/report.hpp"

namespace {

using namespace troupe::bench;
namespace po = boost::program_options;

constexpr auto intro = R"(usage: troupe_cluster_sim [options]

Simulates clusters of many nodes in one thread and in virtual time: each node
runs the membership that real nodes run, over tables in memory that it reaches
in 0.1 to 4 ms each way. Nodes start within a second, are left alone, and some
die at once and come back. It says how long it takes until all agree, what the
store is asked for, what is moved and how even the load is; and measures how
many renewals SQLite, and PostgreSQL where it is installed, can do.

All but what is called measured is the same for the same seed. A round of 1,000
nodes takes minutes and 2 GB of memory.

With --from it prints and plots what an earlier run has written with --json,
and simulates nothing.

Exit status: 0 every cluster came to rest with every shard served, 1 one did
not, or something could not be measured or written, 2 usage.

)";

constexpr uint32_t nodes_most = 5'000;
constexpr uint32_t shards_most = 65'536;
constexpr uint32_t rounds_most = 1'000;

struct command_line {
  sim_plan plan;
  std::string from_file;
  std::string plot_file;
  bool store = true;
  bool json = false;
  bool help = false;
};

po::options_description describe_options() {
  po::options_description result{"Options"};
  auto text = [](const char* name, const char* value) {
    return po::value<std::string>()->value_name(name)->default_value(value);
  };
  auto add = result.add_options();
  add("nodes", text("N,...", "10,100,1000"), "Sizes of clusters, 1 to 5000.");
  add("failures", text("N,...", "1,10,100"),
      "So many nodes die at once. Only where somebody is left.");
  add(
    "by", text("NOTICE,...", "lease,proof"),
    "How others know: 'lease', when it has run out; 'proof', at once, for all "
    "are processes of one host.");
  add("shards", text("N", "1024"), "As many shards, 1 to 65536.");
  add("seed", text("S", "1"), "Of the first round.");
  add("rounds", text("N,...", "3"),
      "As many, each with its own seed: for all sizes, or for each of them.");
  add("no-store", "Do not measure stores.");
  add("from", po::value<std::string>()->value_name("FILE"),
      "Take the figures from there: JSON of an earlier run.");
  add("plot", po::value<std::string>()->value_name("FILE"),
      "Write a picture there, too: SVG.");
  add("json", "Print JSON.");
  add("help,h", "Print this text.");
  return result;
}

// -- parsing -------------------------------------------------------------------

uint64_t number(const std::string& option, const std::string& text,
                uint64_t least, uint64_t most) {
  auto is_number = !text.empty() && text.size() < 20
                   && text.find_first_not_of("0123456789") == text.npos;
  auto result = is_number ? std::stoull(text) : 0;
  if (!is_number || result < least || result > most)
    throw po::error{"--" + option + " takes numbers from "
                    + std::to_string(least) + " to " + std::to_string(most)
                    + ", not '" + text + "'"};
  return result;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> result(1);
  for (auto c : list)
    if (c == ',')
      result.emplace_back();
    else
      result.back() += c;
  return result;
}

std::vector<uint32_t> numbers(const std::string& option,
                              const std::string& list, uint32_t most) {
  std::vector<uint32_t> result;
  for (auto& x : split(list))
    result.push_back(static_cast<uint32_t>(number(option, x, 1, most)));
  return result;
}

std::vector<death_notice> notices(const std::string& list) {
  std::vector<death_notice> result;
  for (auto& x : split(list)) {
    if (x != "lease" && x != "proof")
      throw po::error{"--by takes 'lease' and 'proof', not '" + x + "'"};
    auto notice = x == "lease" ? death_notice::lease : death_notice::proof;
    if (std::find(result.begin(), result.end(), notice) == result.end())
      result.push_back(notice);
  }
  return result;
}

/// What was run has been run.
void refuse_beside_from(const po::variables_map& given) {
  for (auto name : {"nodes", "failures", "by", "shards", "seed", "rounds"})
    if (!given[name].defaulted())
      throw po::error{std::string{"--from takes no --"} + name};
  if (given.count("no-store"))
    throw po::error{"--from takes no --no-store"};
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
  auto text = [&](const char* name) { return given[name].as<std::string>(); };
  command_line result;
  result.help = given.count("help") > 0;
  result.json = given.count("json") > 0;
  result.store = given.count("no-store") == 0;
  if (given.count("plot"))
    result.plot_file = text("plot");
  if (given.count("from")) {
    refuse_beside_from(given);
    result.from_file = text("from");
  }
  auto& plan = result.plan;
  plan.nodes = numbers("nodes", text("nodes"), nodes_most);
  plan.failures = numbers("failures", text("failures"), nodes_most);
  plan.notices = notices(text("by"));
  plan.shards =
    static_cast<uint32_t>(number("shards", text("shards"), 1, shards_most));
  plan.seed = number("seed", text("seed"), 0, UINT64_MAX / 2);
  plan.rounds = numbers("rounds", text("rounds"), rounds_most);
  if (plan.rounds.size() != 1 && plan.rounds.size() != plan.nodes.size())
    throw po::error{"--rounds takes one number, or one for each of --nodes"};
  return result;
}

// -- running -------------------------------------------------------------------

void say(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
}

bool write(const std::string& file, const std::string& what) {
  std::ofstream out{file};
  out << what;
  if (out.flush())
    return true;
  say("troupe_cluster_sim: cannot write " + file);
  return false;
}

sim_report simulate_all(command_line& given) {
  auto& plan = given.plan;
  plan.progress = say;
  sim_report result{plan.shards, plan.seed, simulate(plan), {}};
  if (given.store)
    for (auto nodes : plan.nodes) {
      say("stores with " + std::to_string(nodes) + " rows");
      for (auto& x : measure_stores(nodes))
        result.store.push_back(std::move(x));
    }
  return result;
}

/// @throws po::error
sim_report read_report(const std::string& file) {
  constexpr size_t bytes_max = 16 << 20;
  std::ifstream in{file};
  std::string text(bytes_max, '\0');
  in.read(text.data(), bytes_max);
  if (in.bad() || !in.eof())
    throw po::error{"cannot read " + file};
  text.resize(static_cast<size_t>(in.gcount()));
  try {
    return report_from_json(text);
  } catch (const std::invalid_argument& e) {
    throw po::error{file + " has no figures: " + e.what()};
  }
}

int run(command_line given) {
  auto report = given.from_file.empty() ? simulate_all(given)
                                        : read_report(given.from_file);
  std::fputs((given.json ? to_json(report) : to_text(report)).c_str(), stdout);
  auto written =
    given.plot_file.empty() || write(given.plot_file, to_svg(report));
  auto sound = std::all_of(report.clusters.begin(), report.clusters.end(),
                           [](auto& x) { return x.faults.empty(); });
  return written && sound ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  // What comes and goes all the time stays with the program.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  command_line given;
  try {
    given = parse(argc, argv);
  } catch (const po::error& e) {
    std::fprintf(stderr, "troupe_cluster_sim: %s\n", e.what());
    return 2;
  }
  if (given.help) {
    std::fputs(intro, stdout);
    std::ostringstream options;
    options << describe_options();
    std::fputs(options.str().c_str(), stdout);
    return 0;
  }
  try {
    return run(std::move(given));
  } catch (const po::error& e) {
    std::fprintf(stderr, "troupe_cluster_sim: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "troupe_cluster_sim: %s\n", e.what());
    return 1;
  }
}
