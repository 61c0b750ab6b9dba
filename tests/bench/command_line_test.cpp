// `troupe_bench` from outside. What it measures is no matter of a test.

#include <chrono>

#include <gtest/gtest.h>

#include "tests/support/process.hpp"

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

process_result bench(std::vector<std::string> arguments,
                     std::chrono::seconds patience = 30s) {
  process_input input;
  input.patience = patience;
  input.command = {TROUPE_BENCH};
  input.command.insert(input.command.end(), arguments.begin(), arguments.end());
  return run_process(input);
}

TEST(troupe_bench, lists_what_it_measures) {
  auto x = bench({"--list"});
  EXPECT_EQ(x.status, 0);
  for (auto name : {"actor", "blocking", "echo", "latency", "large", "memory",
                    "isolation", "overload", "nodes", "nodes-pg"})
    EXPECT_NE(x.out.find(name), std::string::npos) << name;
}

TEST(troupe_bench, refuses_what_it_does_not_know) {
  EXPECT_EQ(bench({"--only", "nonsense"}).status, 2);
  EXPECT_EQ(bench({"--nonsense"}).status, 2);
  EXPECT_EQ(bench({"--rounds", "0"}).status, 2);
  EXPECT_EQ(bench({"stray"}).status, 2);
}

TEST(troupe_bench, measures_calls_that_answer_right) {
  auto x = bench(
    {"--quick", "--rounds", "1", "--only", "blocking", "--only", "actor"});
  EXPECT_EQ(x.status, 0) << x.out << x.err;
  EXPECT_NE(x.out.find("blocking call from a thread"), std::string::npos);
  EXPECT_NE(x.out.find("call from an actor, window 64"), std::string::npos);
}

TEST(troupe_bench, measures_one_to_four_nodes_and_says_what_bounds_them) {
  auto x = bench({"--quick", "--rounds", "1", "--only", "nodes"}, 110s);
  EXPECT_EQ(x.status, 0) << x.out << x.err;
  for (auto what : {"echo at each", "1,000 keys, SQLite"})
    for (auto nodes : {"1 node ", "2 nodes", "3 nodes", "4 nodes"})
      EXPECT_NE(x.out.find(std::string{what} + ", " + nodes), std::string::npos)
        << what << ' ' << nodes << '\n'
        << x.out;
  size_t bounds = 0;
  for (size_t i = 0; (i = x.out.find("; bound by ", i)) != x.out.npos; ++i)
    ++bounds;
  EXPECT_EQ(bounds, 8u) << x.out;
}

} // namespace

} // namespace troupe::testing
