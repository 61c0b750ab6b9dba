// The test kit's cluster, used as its users would.

#include <gtest/gtest.h>

#include "nodes/testing_cluster.hpp"

namespace {

using namespace std::chrono_literals;
using troupe::errc;
using troupe::testing::cluster;

struct counter {
  int value = 0;

  int get() const { return value; }

  int increment(int by) { return value += by; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)
};

troupe::module shop() {
  troupe::module m;
  m.function("add", [](int a, int b) { return a + b; });
  m.function(
    "visit", [](troupe::context& ctx, std::string key) -> troupe::task<int> {
      co_return co_await ctx.entity<counter>(key).call(&counter::increment, 1);
    });
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment);
  return m;
}

/// A key of each node.
std::vector<std::string> keys_of(cluster& t) {
  std::vector<std::string> result(t.size());
  for (int i = 0; i < 1000; ++i) {
    auto key = "k" + std::to_string(i);
    if (auto owner = t.owner<counter>(key))
      result[*owner] = key;
  }
  return result;
}

TEST(testing_cluster, answers_at_every_node) {
  cluster t{3, shop()};
  for (auto& key : keys_of(t)) {
    ASSERT_FALSE(key.empty());
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(t[i].call_entity(&counter::increment, key, 1), i + 1);
  }
  EXPECT_EQ(t[2].call<int>("add", 1, 2), 3);
}

TEST(testing_cluster, carries_calls_from_functions_to_entities_elsewhere) {
  cluster t{3, shop()};
  for (auto& key : keys_of(t))
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(t[i].call<int>("visit", "\"" + key + "\""), i + 1) << key;
}

TEST(testing_cluster, loses_nothing_with_a_node) {
  cluster t{3, shop()};
  auto key = keys_of(t)[1];
  EXPECT_EQ(t[0].call_entity(&counter::increment, key, 5), 5);
  t.kill(1);
  EXPECT_FALSE(t.runs(1));
  t.advance(10ms); // until the others' links break
  auto begin = t.now();
  EXPECT_EQ(t[0].call_entity(&counter::increment, key, 1), 6);
  EXPECT_LE(t.now() - begin, 5s);
  EXPECT_NE(t.owner<counter>(key), 1u);
  t.restart(1);
  t.settle();
  EXPECT_EQ(t[1].call_entity(&counter::get, key), 6);
  EXPECT_EQ(t.owner<counter>(key), 1u);
}

TEST(testing_cluster, a_call_that_meets_a_death_may_have_run) {
  cluster t{3, shop()};
  auto key = keys_of(t)[1];
  t.kill(1);
  auto x = t[0].call_entity(&counter::increment, key, 1);
  ASSERT_FALSE(x);
  EXPECT_EQ(x.error(), errc::outcome_unknown);
}

TEST(testing_cluster, takes_over_sooner_with_a_proof_of_death) {
  cluster t{3, shop(), {.proof_of_death = true}};
  auto key = keys_of(t)[2];
  t.kill(2);
  t.advance(10ms);
  auto begin = t.now();
  EXPECT_EQ(t[0].call_entity(&counter::get, key), 0);
  EXPECT_LE(t.now() - begin, 1s);
}

TEST(testing_cluster, a_node_that_was_paused_serves_nothing_stale) {
  cluster t{3, shop()};
  auto key = keys_of(t)[2];
  EXPECT_EQ(t[2].call_entity(&counter::increment, key, 1), 1);
  t.pause(2);
  t.advance(6s);
  EXPECT_EQ(t[0].call_entity(&counter::increment, key, 1), 2);
  t.resume(2);
  EXPECT_EQ(t[2].call_entity(&counter::get, key), 2);
  t.settle();
  EXPECT_EQ(t[2].call_entity(&counter::increment, key, 1), 3);
}

TEST(testing_cluster, a_pause_within_the_lease_is_not_noticed) {
  cluster t{3, shop()};
  auto key = keys_of(t)[2];
  EXPECT_EQ(t[2].call_entity(&counter::increment, key, 1), 1);
  t.pause(2);
  t.advance(1s);
  t.resume(2);
  EXPECT_EQ(t[2].call_entity(&counter::increment, key, 1), 2);
  EXPECT_EQ(t.owner<counter>(key), 2u);
}

// Its lease is over when it wakes, or it was declared dead, or neither.
TEST(testing_cluster,
     calls_wait_no_longer_than_their_owner_is_without_a_lease) {
  cluster t{3, shop()};
  int value = 0;
  for (auto pause = 1500ms; pause < 3500ms; pause += 50ms) {
    auto key = keys_of(t)[2];
    value = t[0].call_entity(&counter::get, key).value();
    t.pause(2);
    t.advance(pause);
    t.resume(2);
    auto begin = t.now();
    auto answer = t[0].call_entity(&counter::increment, key, 1);
    if (answer)
      EXPECT_EQ(*answer, value + 1);
    else // it broke with the link that had been silent
      EXPECT_EQ(answer.error(), errc::outcome_unknown);
    EXPECT_LE(t.now() - begin, 1s) << "after " << pause.count() << " ms";
    t.settle();
  }
}

TEST(testing_cluster, calls_through_a_partition_end_with_the_right_effect) {
  cluster t{3, shop()};
  auto keys = keys_of(t);
  t.partition({2});
  // The store is there for all: each goes on with what it owns.
  EXPECT_EQ(t[2].call_entity(&counter::increment, keys[2], 1), 1);
  EXPECT_EQ(t[0].call_entity(&counter::increment, keys[1], 1), 1);
  auto x = t[0].call_entity(&counter::increment, keys[2], 1);
  ASSERT_FALSE(x);
  EXPECT_TRUE(x.error().what_happened() == troupe::effect::none
              || x.error().what_happened() == troupe::effect::unknown);
  t.heal();
  t.advance(3s);
  EXPECT_EQ(t[0].call_entity(&counter::increment, keys[2], 1), 2);
}

TEST(testing_cluster, a_store_outage_is_no_takeover) {
  cluster t{3, shop()};
  auto keys = keys_of(t);
  for (auto& key : keys)
    EXPECT_EQ(t[0].call_entity(&counter::increment, key, 1), 1);
  t.store_away(true);
  t.advance(10s);
  EXPECT_EQ(t[0].call_entity(&counter::get, keys[0]).error(),
            errc::store_unavailable);
  EXPECT_EQ(t[0].call<int>("add", 1, 2), 3); // functions go on
  t.store_away(false);
  t.advance(2s);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(t.owner<counter>(keys[i]), i);
    EXPECT_EQ(t[i].call_entity(&counter::get, keys[(i + 1) % 3]), 1);
  }
}

TEST(testing_cluster, a_node_without_the_store_loses_its_shards_to_others) {
  cluster t{3, shop()};
  auto keys = keys_of(t);
  EXPECT_EQ(t[1].call_entity(&counter::increment, keys[1], 1), 1);
  t.store_away(1, true);
  t.advance(6s);
  EXPECT_EQ(t[0].call_entity(&counter::increment, keys[1], 1), 2);
  EXPECT_EQ(t[1].call_entity(&counter::get, keys[1]).error(),
            errc::store_unavailable);
  t.store_away(1, false);
  t.settle();
  EXPECT_EQ(t[1].call_entity(&counter::get, keys[1]), 2);
}

TEST(testing_cluster, a_drained_node_hands_everything_over) {
  cluster t{3, shop()};
  auto keys = keys_of(t);
  for (auto& key : keys)
    EXPECT_EQ(t[0].call_entity(&counter::increment, key, 1), 1);
  t.drain(1);
  auto begin = t.now();
  for (auto& key : keys)
    EXPECT_EQ(t[2].call_entity(&counter::increment, key, 1), 2);
  EXPECT_LE(t.now() - begin, 100ms); // nobody waited for a lease
  t.restart(1);
  t.settle();
  EXPECT_EQ(t.owner<counter>(keys[1]), 1u);
}

TEST(testing_cluster, does_the_same_with_the_same_seed) {
  auto run = [](uint64_t seed) {
    cluster t{3, shop(), {.seed = seed}};
    auto key = keys_of(t)[2];
    t.kill(2);
    t.advance(10ms);
    EXPECT_EQ(t[0].call_entity(&counter::get, key), 0);
    return t.now().time_since_epoch().count();
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(testing_cluster, shows_results_in_failures) {
  using troupe::expected;
  EXPECT_EQ(::testing::PrintToString(expected<int>{7}), "7");
  EXPECT_EQ(::testing::PrintToString(expected<counter>{{3}}), R"({"value":3})");
  EXPECT_EQ(::testing::PrintToString(
              expected<int>{troupe::error{errc::not_owner, "nobody"}}),
            "not_owner (none): nobody");
  EXPECT_EQ(::testing::PrintToString(expected<void>{}), "done");
}

} // namespace
