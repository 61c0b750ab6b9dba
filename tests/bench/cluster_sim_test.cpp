// The simulation of many nodes: that its figures can be had again, that they
// are sane, and that it would see what must not be.

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "apps/bench/cluster_sim/plot.hpp"
#include "apps/bench/cluster_sim/report.hpp"
#include "apps/bench/cluster_sim/sim_cluster.hpp"
#include "apps/bench/cluster_sim/table.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::bench {

namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Ten nodes, of which one dies, and then three.
sim_plan small_plan() {
  sim_plan result;
  result.nodes = {10};
  result.failures = {1, 3};
  result.shards = 64;
  result.rounds = {2};
  return result;
}

sim_report report_of(const sim_plan& plan) {
  return {plan.shards, plan.seed, simulate(plan), {}};
}

/// Without what was measured.
nlohmann::json simulated(const sim_plan& plan) {
  auto result = nlohmann::json::parse(to_json(report_of(plan)));
  result.erase("measured");
  for (auto& x : result["clusters"])
    x.erase("measured");
  return result;
}

TEST(cluster_sim, moves_what_the_dead_had_and_little_else) {
  for (auto& cluster : simulate(small_plan())) {
    EXPECT_THAT(cluster.faults, IsEmpty());
    ASSERT_THAT(cluster.failures, SizeIs(2));
    for (auto& x : cluster.failures) {
      EXPECT_GT(x.death.ideal, 0);
      EXPECT_GE(x.death.moved, x.death.ideal);
      EXPECT_LE(x.death.moved, 3 * x.death.ideal);
      EXPECT_GE(x.comeback.moved, x.comeback.ideal);
      EXPECT_LE(x.imbalance, 1.5);
    }
  }
}

TEST(cluster_sim, sees_that_a_proof_of_death_saves_the_wait) {
  auto all = simulate(small_plan());
  ASSERT_THAT(all, SizeIs(2));
  for (auto& x : all[0].failures) { // by lease
    EXPECT_GE(x.death.served.median, 2.5);
    EXPECT_LE(x.death.served.most, 5);
    EXPECT_LE(x.death.served.most, x.death.rest.most);
  }
  for (auto& x : all[1].failures) { // by proof
    EXPECT_GT(x.death.served.median, 0);
    EXPECT_LE(x.death.served.most, 1);
  }
}

TEST(cluster_sim, counts_what_the_store_is_asked_for_at_rest) {
  // Every half second a node renews its lease, which reads all rows, and asks
  // what has moved, which is nothing.
  for (auto& cluster : simulate(small_plan())) {
    EXPECT_NEAR(cluster.operations, 4, 0.1);
    EXPECT_NEAR(cluster.rows, 20, 0.5);
    EXPECT_GT(cluster.bytes, cluster.rows * 100);
    EXPECT_GT(cluster.cpu_share, 0);
  }
}

TEST(cluster_sim, gives_the_same_again_for_the_same_seed) {
  auto plan = small_plan();
  auto first = simulated(plan);
  EXPECT_EQ(first, simulated(plan));
  plan.seed = 100;
  EXPECT_NE(first, simulated(plan));
}

TEST(cluster_sim, leaves_out_failures_that_leave_nobody) {
  auto plan = small_plan();
  plan.nodes = {1, 3};
  auto all = simulate(plan);
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_THAT(all[0].failures, IsEmpty());
  ASSERT_THAT(all[2].failures, SizeIs(1));
  EXPECT_EQ(all[2].failures[0].dead, 1u);
}

TEST(cluster_sim, sees_shards_that_nobody_serves) {
  sim_options options;
  options.shards = 8;
  sim_cluster cluster{options};
  EXPECT_EQ(cluster.shards_without_owner(), 8u);
  EXPECT_TRUE(cluster.start(2).at_rest);
  EXPECT_EQ(cluster.shards_without_owner(), 0u);
  EXPECT_EQ(cluster.watch(60s).moved, 0u);
}

TEST(cluster_sim, does_not_have_everybody_declare_everybody_dead) {
  // Twenty see at once that forty are dead: that would be 800 declarations.
  auto plan = small_plan();
  plan.nodes = {60};
  plan.failures = {40};
  plan.notices = {death_notice::proof};
  for (auto& x : simulate(plan)) {
    EXPECT_THAT(x.faults, IsEmpty());
    EXPECT_GE(x.failures[0].death.declarations, 40);
    EXPECT_LE(x.failures[0].death.declarations, 300);
    EXPECT_LE(x.failures[0].death.served.most, 1);
  }
}

// -- what is printed ---------------------------------------------------------

TEST(table, has_columns_as_wide_as_they_have_to_be) {
  table x{{"a", "long head"}};
  x.add({"wide cell", "1"});
  EXPECT_EQ(x.text(), "        a  long head\n"
                      "wide cell          1\n");
}

TEST(report, tells_what_must_not_be) {
  sim_report x;
  x.clusters.emplace_back().faults.push_back("two own a shard");
  EXPECT_THAT(to_text(x), HasSubstr("FAULT: two own a shard"));
  EXPECT_THAT(to_json(x), HasSubstr("two own a shard"));
}

TEST(report, is_a_picture_with_a_curve_for_each_number_of_failures) {
  auto plan = small_plan();
  plan.nodes = {4, 10};
  auto svg = to_svg(report_of(plan));
  for (auto name : {"1 dies, by lease", "3 die, by proof", "rows, for all"})
    EXPECT_THAT(svg, HasSubstr(name));
  auto curves = 0;
  for (size_t i = 0; (i = svg.find("<polyline", i)) != svg.npos; ++i)
    ++curves;
  EXPECT_EQ(curves, 4 * 4 + 4 + 3);
  for (auto bad : {"nan", "inf", "-nan"})
    EXPECT_EQ(svg.find(bad), svg.npos) << bad;
}

TEST(report, is_read_again_as_it_was_written) {
  auto x = report_of(small_plan());
  x.store.push_back({"SQLite", 10, 1234.5, 0.25});
  x.clusters[0].faults.push_back("two own a shard");
  auto again = report_from_json(to_json(x));
  EXPECT_EQ(to_json(again), to_json(x));
  EXPECT_EQ(to_text(again), to_text(x));
  EXPECT_EQ(to_svg(again), to_svg(x));
}

TEST(report, is_not_read_from_something_else) {
  auto good = nlohmann::json::parse(to_json(report_of(small_plan())));
  auto with = [&](const char* where, nlohmann::json what) {
    auto result = good;
    result[nlohmann::json::json_pointer{where}] = std::move(what);
    return result.dump();
  };
  for (auto& text :
       {std::string{}, std::string{"[]"}, std::string{"{"}, std::string{"7"},
        with("/shards", -1), with("/clusters", 1), with("/clusters/0/nodes", 0),
        with("/clusters/0/by", "rumour"), with("/clusters/1/start", {}),
        with("/clusters/0/failures/0/dead", 1.5),
        with("/clusters/0/rest/rows", "many")})
    EXPECT_THROW(report_from_json(text), std::invalid_argument) << text;
}

// -- the program -------------------------------------------------------------

testing::process_result sim(std::vector<std::string> arguments) {
  testing::process_input input;
  input.command = {TROUPE_CLUSTER_SIM};
  input.command.insert(input.command.end(), arguments.begin(), arguments.end());
  return run_process(input);
}

TEST(troupe_cluster_sim, refuses_what_it_cannot_do) {
  std::vector<std::vector<std::string>> wrong{
    {"--nodes", "0"},
    {"--nodes", "10,"},
    {"--nodes", "5001"},
    {"--nodes", "ten"},
    {"--nodes", "-1"},
    {"--failures", "0"},
    {"--failures", ""},
    {"--shards", "0"},
    {"--shards", "65537"},
    {"--shards", "1e3"},
    {"--rounds", "0"},
    {"--seed", "x"},
    {"--by", "rumour"},
    {"--rounds", "1,2"},
    {"--from", "/nowhere/at/all.json"},
    {"--from", "/dev/null"},
    {"--from", "/dev/zero"},
    {"--from", "x.json", "--nodes", "10"},
    {"--from", "x.json", "--no-store"},
    {"--nonsense"},
    {"stray"},
    {"--seed", "99999999999999999999"}};
  for (auto& arguments : wrong) {
    auto x = sim(arguments);
    EXPECT_EQ(x.status, 2) << arguments.front() << ' ' << arguments.back();
    EXPECT_THAT(x.out, IsEmpty());
    EXPECT_THAT(x.err, HasSubstr("troupe_cluster_sim: "));
  }
}

TEST(troupe_cluster_sim, says_how_it_is_used) {
  auto x = sim({"--help"});
  EXPECT_EQ(x.status, 0);
  for (auto option : {"--nodes", "--failures", "--shards", "--seed", "--json"})
    EXPECT_THAT(x.out, HasSubstr(option));
}

TEST(troupe_cluster_sim, simulates_ten_nodes_and_measures_the_store) {
  auto x = sim({"--nodes", "10", "--rounds", "1", "--json"});
  EXPECT_EQ(x.status, 0) << x.err;
  EXPECT_THAT(x.err, HasSubstr("10 nodes, by lease, seed 1, 1 die"));
  auto json = nlohmann::json::parse(x.out);
  EXPECT_EQ(json["shards"], 1024);
  EXPECT_EQ(json["clusters"].size(), 2u);
  EXPECT_EQ(json["clusters"][0]["failures"].size(), 1u); // 10 would be all
  auto& sqlite = json["measured"]["stores"][0];
  EXPECT_EQ(sqlite["store"], "SQLite");
  EXPECT_GT(sqlite["renewals"], 20); // what ten nodes need
}

TEST(troupe_cluster_sim, prints_and_plots_what_an_earlier_run_has_written) {
  testing::temporary_folder folder;
  auto file = folder.path() / "run.json";
  auto plot = folder.path() / "run.svg";
  auto run = sim({"--nodes", "3", "--failures", "1", "--rounds", "1", "--by",
                  "proof", "--no-store", "--json"});
  std::ofstream{file} << run.out;
  auto again = sim({"--from", file, "--json", "--plot", plot});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, run.out);
  EXPECT_THAT(again.err, IsEmpty()); // nothing was simulated
  std::ostringstream svg;
  svg << std::ifstream{plot}.rdbuf();
  EXPECT_THAT(svg.str(), HasSubstr("1 dies, by proof"));
}

TEST(troupe_cluster_sim, prints_tables_and_says_what_it_cannot_write) {
  auto x = sim({"--nodes", "3", "--failures", "1", "--rounds", "1", "--by",
                "proof", "--no-store", "--plot", "/nowhere/at/all.svg"});
  EXPECT_EQ(x.status, 1);
  EXPECT_THAT(x.out, HasSubstr("1 comes back"));
  EXPECT_THAT(x.err, HasSubstr("cannot write /nowhere/at/all.svg"));
}

} // namespace

} // namespace troupe::bench
