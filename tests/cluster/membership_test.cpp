// How nodes come, go, fail and are replaced, one story at a time: the
// membership and the services that real nodes run, over a store and clocks that
// do what the story says.

#include <algorithm>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/simulated_cluster.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class membership : public ::testing::Test {
protected:
  membership() : membership(testing::simulation_options{}) {}

  explicit membership(testing::simulation_options options) : cluster(options) {}

  ~membership() override {
    EXPECT_THAT(cluster.violations(), IsEmpty());
    EXPECT_TRUE(testing::is_linearizable(cluster.calls));
  }

  void start(std::vector<std::string> names) {
    for (auto& x : names)
      cluster.start(x);
    cluster.advance(20s);
    ASSERT_EQ(cluster.unrest(), "");
  }

  /// How long it takes until all is at rest.
  std::chrono::nanoseconds time_to_rest(std::chrono::nanoseconds most = 60s) {
    auto begin = cluster.now();
    while (!cluster.unrest().empty() && cluster.now() - begin < most)
      cluster.advance(100ms);
    EXPECT_EQ(cluster.unrest(), "");
    return cluster.now() - begin;
  }

  /// Calls of all keys, about `rate` a second, for `time`.
  void load(std::chrono::nanoseconds time, int rate = 100) {
    auto end = cluster.now() + time;
    while (cluster.now() < end) {
      auto key = "k" + std::to_string(cluster.random()() % 8);
      cluster.call(static_cast<uint32_t>(cluster.random()() % 8), key,
                   static_cast<int64_t>(cluster.random()() % 3));
      cluster.advance(std::chrono::nanoseconds{1s} / rate);
    }
  }

  uint64_t declared() {
    uint64_t result = 0;
    for (auto& x : cluster.alive())
      result += cluster.state(x).counts.declared;
    return result;
  }

  testing::simulation cluster;
};

TEST_F(membership, the_first_node_owns_everything_within_a_second) {
  cluster.start("a");
  cluster.advance(1s);
  EXPECT_EQ(cluster.unrest(), "");
  EXPECT_EQ(cluster.shards()["a"], 16u);
}

TEST_F(membership, nodes_that_come_get_their_part_and_no_call_is_served_twice) {
  start({"a"});
  cluster.start("b");
  cluster.start("c");
  load(20s);
  EXPECT_EQ(cluster.unrest(), "");
  EXPECT_THAT(cluster.shards(), Each(Pair(::testing::_, ::testing::Gt(0u))));
  EXPECT_GT(cluster.calls.counts().completed, 1'800u);
}

TEST_F(membership, a_cluster_at_rest_moves_nothing) {
  start({"a", "b", "c"});
  auto moves = cluster.moves();
  cluster.advance(300s);
  EXPECT_EQ(cluster.moves(), moves);
  EXPECT_EQ(declared(), 0u);
}

TEST_F(membership, shards_of_a_dead_node_are_served_elsewhere_in_five_seconds) {
  start({"a", "b", "c", "d"});
  auto before = cluster.shards();
  auto moves = cluster.moves();
  cluster.kill("b");
  cluster.advance(5s);
  uint32_t served = 0;
  for (auto& [id, count] : cluster.shards())
    served += count;
  EXPECT_EQ(served, 16u);
  EXPECT_GE(cluster.moves() - moves, before["b"]);
  time_to_rest();
  for (auto& id : cluster.alive())
    EXPECT_LT(cluster.state(id).counts.takeover_ns_max,
              std::chrono::nanoseconds{5s}.count());
}

TEST_F(membership, other_keys_never_stop_when_a_node_dies) {
  start({"a", "b", "c"});
  cluster.kill("b");
  load(10s);
  // A third of the keys waits for four seconds at most.
  auto counts = cluster.calls.counts();
  EXPECT_GT(counts.completed, counts.operations / 2);
}

TEST_F(membership, a_store_outage_is_no_takeover) {
  start({"a", "b", "c"});
  auto moves = cluster.moves();
  cluster.store_away(true);
  load(20s);
  cluster.store_away(false);
  load(10s);
  EXPECT_EQ(declared(), 0u);
  EXPECT_EQ(cluster.moves(), moves);
  EXPECT_EQ(cluster.unrest(), "");
}

TEST_F(membership,
       one_that_does_not_reach_the_store_is_replaced_and_comes_back) {
  start({"a", "b", "c"});
  cluster.store_away("b", true);
  load(8s);
  EXPECT_EQ(cluster.shards()["b"] * cluster.state("b").lease.valid(), 0u);
  cluster.store_away("b", false);
  load(5s);
  time_to_rest();
  EXPECT_EQ(cluster.state("b").counts.fenced, 1u);
}

TEST_F(membership, a_paused_node_that_wakes_serves_nothing_old_and_rejoins) {
  start({"a", "b", "c"});
  load(2s);
  cluster.pause("b");
  load(8s);
  cluster.wake("b");
  load(5s);
  time_to_rest();
  EXPECT_EQ(cluster.state("b").counts.fenced, 1u);
}

TEST_F(membership,
       a_machine_that_slept_notices_although_its_clock_stood_still) {
  start({"a", "b", "c"});
  load(2s);
  cluster.sleep("b");
  load(8s);
  cluster.wake("b");
  load(5s);
  time_to_rest();
  EXPECT_EQ(cluster.state("b").counts.fenced, 1u);
}

TEST_F(membership, a_short_pause_costs_nothing) {
  start({"a", "b", "c"});
  auto moves = cluster.moves();
  cluster.pause("b");
  cluster.advance(1s);
  cluster.wake("b");
  cluster.advance(10s);
  EXPECT_EQ(cluster.moves(), moves);
  EXPECT_EQ(declared(), 0u);
}

TEST_F(membership, a_node_that_is_drained_hands_all_over_before_it_leaves) {
  start({"a", "b", "c"});
  cluster.drain("b");
  load(5s);
  EXPECT_FALSE(cluster.is_alive("b"));
  EXPECT_EQ(cluster.unrest(), "");
  EXPECT_EQ(declared(), 0u);
  EXPECT_EQ(cluster.calls.counts().unknown, 0u);
}

TEST_F(membership, the_last_node_leaves_at_once_and_the_next_one_takes_all) {
  start({"a"});
  cluster.drain("a");
  cluster.advance(500ms);
  EXPECT_FALSE(cluster.is_alive("a"));
  cluster.start("b");
  cluster.advance(1s);
  EXPECT_EQ(cluster.unrest(), "");
}

TEST_F(membership, all_that_were_killed_at_once_come_back) {
  start({"a", "b", "c"});
  for (auto id : {"a", "b", "c"})
    cluster.kill(id);
  cluster.advance(10s);
  for (auto id : {"a", "b", "c"})
    cluster.start(id);
  EXPECT_LT(time_to_rest(), 30s);
}

// -- two that have one id ----------------------------------------------------

TEST_F(membership, one_with_the_id_of_a_living_node_is_refused) {
  start({"a", "b"});
  auto before = cluster.shards();
  auto moves = cluster.moves();
  cluster.start_namesake("another a", "a");
  load(5s);
  EXPECT_EQ(cluster.refusal("another a"),
            "node 'a' is there already, at 'http://a': every node needs an id "
            "of its own");
  EXPECT_EQ(cluster.state("another a").views.load()->own()->state,
            node_state::joining);
  EXPECT_EQ(cluster.refusal("a"), "");
  EXPECT_EQ(cluster.moves(), moves);
  cluster.kill("another a");
  time_to_rest();
  EXPECT_EQ(cluster.shards(), before);
}

TEST_F(membership, of_two_that_start_at_once_with_one_id_one_gets_up) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    testing::simulation_options options;
    options.seed = seed;
    testing::simulation both{options};
    both.start_namesake("one", "a");
    both.start_namesake("two", "a");
    both.advance(10s);
    auto one = both.shards()["one"];
    auto two = both.shards()["two"];
    EXPECT_EQ(one + two, 16u) << "seed " << seed;
    EXPECT_EQ(one * two, 0u) << "seed " << seed;
    EXPECT_NE(both.refusal(one == 0 ? "one" : "two"), "") << "seed " << seed;
    EXPECT_THAT(both.violations(), IsEmpty());
  }
}

// -- builds whose wire has another version -----------------------------------

TEST_F(membership, one_whose_wire_is_too_far_ahead_is_refused_and_all_say_so) {
  start({"a", "b"});
  auto before = cluster.shards();
  cluster.start("c", 1, wire::version + 2);
  load(5s);
  EXPECT_THAT(cluster.refusal("c"),
              ContainsRegex("node '[ab]' speaks version "
                            + std::to_string(wire::version)
                            + " of the wire, this one "
                            + std::to_string(wire::version + 2)));
  for (auto id : {"a", "b"})
    EXPECT_THAT(
      cluster.turned_away(id),
      ElementsAre("node 'c' speaks version " + std::to_string(wire::version + 2)
                  + " of the wire, this one " + std::to_string(wire::version)));
  EXPECT_THAT(cluster.turned_away("c"), IsEmpty());
  cluster.kill("c");
  time_to_rest();
  EXPECT_EQ(cluster.shards(), before);
}

TEST_F(membership, goes_through_two_versions_of_the_wire_one_after_the_other) {
  start({"a", "b"});
  for (auto version : {wire::version + 1, wire::version + 2})
    for (auto id : {"a", "b"}) {
      cluster.drain(id);
      load(4s);
      ASSERT_FALSE(cluster.is_alive(id));
      cluster.start(id, 1, version);
      load(4s);
      EXPECT_EQ(cluster.refusal(id), "");
    }
  time_to_rest();
  for (auto id : {"a", "b"})
    EXPECT_THAT(cluster.turned_away(id), IsEmpty());
}

// -- one after the other -----------------------------------------------------

TEST_F(membership, a_node_that_starts_again_waits_for_its_own_old_lease) {
  start({"a", "b"});
  cluster.kill("a");
  cluster.start("a");
  cluster.advance(2s); // the old one may be alive, for all that is known
  EXPECT_EQ(cluster.shards()["a"], 0u);
  EXPECT_LT(time_to_rest(), 15s);
  EXPECT_EQ(cluster.refusal("a"), "");
}

TEST_F(membership, a_renewal_that_comes_after_a_crash_is_no_sign_of_life) {
  start({"a", "b"});
  cluster.faults.late = 1000;
  cluster.advance(2s); // renewals that are done some time
  cluster.kill("a");
  cluster.faults.late = 0;
  cluster.start("a");
  time_to_rest();
  EXPECT_EQ(cluster.refusal("a"), "");
}

TEST_F(membership, one_that_leaves_is_followed_by_the_next_with_its_id) {
  start({"a", "b"});
  cluster.drain("a");
  cluster.start_namesake("next a", "a");
  load(4s);
  EXPECT_FALSE(cluster.is_alive("a"));
  EXPECT_EQ(cluster.refusal("next a"), "");
  cluster.advance(10s);
  EXPECT_GT(cluster.shards()["next a"], 0u);
}

TEST_F(membership, a_rolling_restart_ends_where_it_began) {
  start({"a", "b", "c"});
  auto before = cluster.shards();
  for (auto id : {"a", "b", "c"}) {
    cluster.drain(id);
    load(4s);
    ASSERT_FALSE(cluster.is_alive(id));
    cluster.start(id);
    load(4s);
  }
  time_to_rest();
  EXPECT_EQ(cluster.shards(), before);
  EXPECT_EQ(declared(), 0u);
}

TEST_F(membership, a_node_with_more_capacity_gets_more) {
  cluster.start("a");
  cluster.start("b", 4);
  cluster.advance(20s);
  ASSERT_EQ(cluster.unrest(), "");
  EXPECT_GT(cluster.shards()["b"], cluster.shards()["a"]);
}

/// How long it takes until all is served again after a node was killed at a
/// random moment.
std::vector<std::chrono::nanoseconds> takeovers(bool proof_of_death) {
  std::vector<std::chrono::nanoseconds> result;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    testing::simulation_options options;
    options.seed = seed;
    options.proof_of_death = proof_of_death;
    testing::simulation cluster{options};
    for (auto id : {"a", "b", "c"})
      cluster.start(id);
    cluster.advance(20s + cluster.between(0s, 1s));
    auto begin = cluster.now();
    cluster.kill("b");
    while (cluster.shards()["a"] + cluster.shards()["c"] < 16
           && cluster.now() - begin < 20s)
      cluster.advance(10ms);
    result.push_back(cluster.now() - begin);
  }
  std::sort(result.begin(), result.end());
  auto ms = [](auto x) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(x).count();
  };
  std::cout << "median " << ms(result[25]) << " ms, most " << ms(result.back())
            << " ms\n";
  return result;
}

TEST(takeover, takes_five_seconds_at_most_by_leases_alone) {
  auto times = takeovers(false);
  EXPECT_LE(times[25], 3500ms);
  EXPECT_LE(times.back(), 5s);
}

TEST(takeover, takes_a_second_at_most_with_a_proof_of_death) {
  EXPECT_LE(takeovers(true).back(), 1s);
}

class membership_on_one_host : public membership {
protected:
  static testing::simulation_options options() {
    testing::simulation_options result;
    result.proof_of_death = true;
    return result;
  }

  membership_on_one_host() : membership(options()) {}
};

TEST_F(membership_on_one_host, a_node_that_starts_again_does_not_wait) {
  cluster.start("a");
  cluster.advance(5s);
  cluster.kill("a");
  cluster.start("a");
  cluster.advance(1s);
  EXPECT_EQ(cluster.unrest(), "");
}

TEST_F(membership_on_one_host, a_proof_of_death_saves_the_wait) {
  start({"a", "b", "c"});
  cluster.kill("b");
  cluster.advance(1s);
  EXPECT_EQ(cluster.shards()["a"] + cluster.shards()["c"], 16u);
}

// That it has ended is known before others have read that it left.
TEST_F(membership_on_one_host, one_that_leaves_is_not_declared_dead) {
  start({"a", "b", "c"});
  for (int round = 0; round < 500; ++round) {
    cluster.drain("b");
    cluster.advance(5s);
    ASSERT_FALSE(cluster.is_alive("b"));
    ASSERT_EQ(declared(), 0u) << "round " << round;
    cluster.start("b");
    cluster.advance(5s + cluster.between(0s, 1s));
  }
}

} // namespace
} // namespace troupe
