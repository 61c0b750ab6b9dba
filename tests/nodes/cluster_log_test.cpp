// What a node's log says of its cluster: one line for what has changed at once,
// and never more than a bound of what goes on being wrong.

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/cluster_log.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class cluster_log_test : public ::testing::Test {
protected:
  lease_row row(const std::string& node, node_state state = node_state::up) {
    lease_row result;
    result.node = node;
    result.incarnation = node + "1";
    result.state = state;
    return result;
  }

  /// What "own" sees from now on, beside itself.
  void see(std::vector<lease_row> others) {
    cluster_view view;
    view.self = self_;
    view.nodes = std::move(others);
    auto own = row("own");
    own.incarnation = self_;
    view.nodes.push_back(own);
    log_.seen(view, counts_);
  }

  std::vector<std::string> lines() { return std::exchange(lines_, {}); }

  static peer_identity id(const std::string& node) {
    return {node, node + "1"};
  }

  std::string self_ = "own1";
  cluster_counts counts_;
  cluster_log::time_point now_{1h};
  std::vector<std::string> lines_;
  cluster_log log_{[this](cluster_log::level x, const std::string& line) {
                     auto is_warning = x == cluster_log::level::warning;
                     lines_.push_back((is_warning ? "W " : "I ") + line);
                   },
                   [this] { return now_; }};
};

// -- who is there --------------------------------------------------------------

TEST_F(cluster_log_test, says_that_this_node_is_up_and_who_was_there) {
  see({row("a"), row("b")});
  EXPECT_THAT(lines(), ElementsAre("I this node is up, beside a, b"));
  see({row("a"), row("b")});
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(cluster_log_test, says_in_one_line_who_joined) {
  see({});
  EXPECT_THAT(lines(), ElementsAre("I this node is up, the only one"));
  see({row("a", node_state::joining)});
  EXPECT_THAT(lines(), IsEmpty());
  see({row("a")});
  EXPECT_THAT(lines(), ElementsAre("I node 'a' joined"));
  see({row("a"), row("b"), row("c")});
  EXPECT_THAT(lines(), ElementsAre("I 2 nodes joined: b, c"));
}

TEST_F(cluster_log_test, does_not_list_hundreds) {
  see({});
  lines();
  std::vector<lease_row> many;
  for (int i = 100; i < 400; ++i)
    many.push_back(row(std::to_string(i)));
  see(many);
  EXPECT_THAT(lines(),
              ElementsAre("I 300 nodes joined: 100, 101, 102, 103, 104, 105, "
                          "106, 107, 108, 109 and 290 more"));
}

TEST_F(cluster_log_test, tells_who_left_from_who_was_declared_dead) {
  see({row("a"), row("b"), row("c"), row("d"), row("e")});
  lines();
  log_.leaves(id("a")); // it was not seen draining
  see({row("a"), row("b", node_state::draining), row("c"), row("d"), row("e")});
  EXPECT_THAT(lines(), IsEmpty());
  log_.declared(id("c"));
  see({row("e")});
  EXPECT_THAT(lines(), ElementsAre("I 2 nodes left: a, b",
                                   "W node 'c' declared dead by this node",
                                   "W node 'd' declared dead by another node"));
}

TEST_F(cluster_log_test, says_what_was_taken_over) {
  see({row("a")});
  lines();
  counts_.taken = 12;
  counts_.takeover_ns = 3'210'000'000;
  see({});
  EXPECT_THAT(lines(),
              ElementsAre("I took 12 shards of dead nodes over, 3210 ms after "
                          "the last sign of life",
                          "W node 'a' declared dead by another node"));
}

TEST_F(cluster_log_test, calls_nobody_dead_who_was_there_before_this_node) {
  auto before = row("own");
  before.incarnation = "own0";
  see({before});
  see({});
  lines();
  counts_.taken = 1024;
  counts_.takeover_ns = 514'000'000;
  see({});
  EXPECT_THAT(lines(),
              ElementsAre("I took 1024 shards of nodes that are gone"));
  see({row("a")});
  lines();
  counts_.taken += 512;
  see({});
  EXPECT_THAT(lines(),
              ElementsAre("I took 512 shards of dead nodes over, 514 ms after "
                          "the last sign of life",
                          "W node 'a' declared dead by another node"));
}

TEST_F(cluster_log_test, says_nothing_of_an_earlier_run_of_this_node) {
  auto before = row("own");
  before.incarnation = "own0";
  see({before, row("a")});
  lines();
  see({row("a")});
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(cluster_log_test, says_that_this_node_was_declared_dead) {
  see({row("a")});
  lines();
  counts_.fenced = 1;
  cluster_view nothing;
  nothing.self = self_ = "own2";
  log_.seen(nothing, counts_);
  EXPECT_THAT(lines(),
              ElementsAre("W this node was declared dead, and joins anew"));
  see({row("a")});
  EXPECT_THAT(lines(), ElementsAre("I this node is up, beside a"));
}

TEST_F(cluster_log_test, says_once_that_this_node_has_left_and_nothing_more) {
  see({row("a")});
  lines();
  cluster_view left;
  log_.seen(left, counts_);
  EXPECT_THAT(lines(), ElementsAre("I this node has left the cluster"));
  left.nodes.push_back(row("a"));
  log_.seen(left, counts_);
  EXPECT_THAT(lines(), IsEmpty());
}

// -- links ---------------------------------------------------------------------

TEST_F(cluster_log_test, says_which_link_was_lost_and_is_back) {
  see({row("a")});
  lines();
  log_.link_down(id("a"), "no luck yet"); // it never was up
  EXPECT_THAT(lines(), IsEmpty());
  log_.link_up(id("a"));
  EXPECT_THAT(lines(), IsEmpty());
  log_.link_down(id("a"), "no sign of life");
  log_.link_up(id("a"));
  EXPECT_THAT(lines(),
              ElementsAre("W the link to node 'a' is lost: no sign of life",
                          "I the link to node 'a' is up again"));
}

TEST_F(cluster_log_test, a_link_to_one_that_leaves_is_not_lost) {
  see({row("a")});
  log_.link_up(id("a"));
  lines();
  log_.leaves(id("a"));
  log_.link_down(id("a"), "the nodes part");
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(cluster_log_test, says_no_more_of_links_than_it_may) {
  std::vector<lease_row> many;
  for (int i = 100; i < 400; ++i)
    many.push_back(row(std::to_string(i)));
  see(many);
  for (auto& x : many)
    log_.link_up(id(x.node));
  lines();
  for (auto& x : many)
    log_.link_down(id(x.node), "no sign of life");
  EXPECT_EQ(lines().size(), cluster_log::link_lines_max);
  now_ += cluster_log::link_window;
  log_.link_up(id("100"));
  EXPECT_THAT(lines(), ElementsAre("I the link to node '100' is up again (290 "
                                   "lines about links were left out)"));
}

TEST_F(cluster_log_test, says_now_and_then_why_it_waits) {
  link_wait x;
  x.nodes = 5;
  x.missing = {{"a", "h:1", "certificate verify failed"},
               {"b", "h:2", ""},
               {"c", "h:3", "\n\x1b[31m"},
               {"d", "h:4", "?"}};
  log_.waits(x);
  EXPECT_THAT(
    lines(), ElementsAre(
               "W this node joins, and is linked to 1 of 5 others: cannot link "
               "to node 'a' at h:1: certificate verify failed; cannot link to "
               "node 'b' at h:2: it does not answer; cannot link to node 'c' "
               "at h:3: ??[31m and 1 more"));
  now_ += 29s;
  log_.waits(x);
  EXPECT_THAT(lines(), IsEmpty());
  now_ += 1s;
  log_.waits(x);
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(cluster_log_test, says_of_an_address_now_and_then_that_it_was_refused) {
  log_.link_refused("10.0.0.1:50123", "TLS: unknown ca");
  log_.link_refused("10.0.0.1:50124", "TLS: unknown ca");
  log_.link_refused("10.0.0.2:50123", "TLS: unknown ca");
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("W a link from 10.0.0.1:50123 was "
                                             "refused: TLS: unknown ca"),
                                   HasSubstr("10.0.0.2:50123")));
  now_ += 30s;
  log_.link_refused("10.0.0.1:50125", "TLS: unknown ca");
  EXPECT_EQ(lines().size(), 1u);
  for (int i = 0; i < 1000; ++i)
    log_.link_refused("h" + std::to_string(i) + ":1", "x");
  EXPECT_EQ(lines().size(), cluster_log::addresses_max - 1);
}

} // namespace
} // namespace troupe
