// What every table of leases and of shards keeps, whatever it is made of. For
// one source of a program, which says before what that is: `cluster_kinds`. A
// kind has the tables as one node sees them, and as a second one does: functions
// `leases`, `shards` and `store` of the node's number.

#pragma once

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "actors/core/cluster_backends.hpp"
#include "tests/support/store_calls.hpp"

namespace troupe {
namespace {

constexpr uint32_t count = 64;

lease_row row(std::string incarnation, uint64_t counter = 0,
              node_state state = node_state::up) {
  lease_row result;
  result.node = "node of " + incarnation;
  result.incarnation = std::move(incarnation);
  result.link_endpoint = "127.0.0.1:1";
  result.http_url = "http://127.0.0.1:2";
  result.capacity = 3;
  result.zone = "z";
  result.version = "1.2.3";
  result.wire_version = 7;
  result.settings = "lease=2000";
  result.state = state;
  result.counter = counter;
  return result;
}

template <class Kind>
class cluster_contract : public ::testing::Test {
protected:
  lease_view renew(lease_row mine, int node = 0) {
    return testing::begin<expected<lease_view>>([&](auto done) {
             kind_.leases(node).renew(std::move(mine), std::move(done));
           })
      .get()
      .value();
  }

  verdict declare_dead(std::string incarnation, uint64_t counter,
                       int node = 0) {
    return testing::begin<expected<verdict>>([&](auto done) {
             kind_.leases(node).declare_dead(std::move(incarnation), counter,
                                             std::move(done));
           })
      .get()
      .value();
  }

  void leave(std::string incarnation, int node = 0) {
    auto done = testing::begin<expected<void>>([&](auto f) {
      kind_.leases(node).leave(std::move(incarnation), std::move(f));
    });
    EXPECT_TRUE(done.get());
  }

  /// What is there of `incarnation`, as another one sees it.
  std::optional<lease_row> seen(const std::string& incarnation) {
    auto view = renew(row("observer", counters_["observer"]), 1);
    counters_["observer"] = view.counter;
    for (auto& x : view.rows)
      if (x.incarnation == incarnation)
        return x;
    return std::nullopt;
  }

  shard_view read(uint64_t version = 0, int node = 0, uint32_t wanted = count) {
    return testing::begin<expected<shard_view>>([&](auto done) {
             kind_.shards(node).read(wanted, version, std::move(done));
           })
      .get()
      .value();
  }

  std::vector<move_result> move(std::vector<shard_move> moves, int node = 0) {
    return testing::begin<expected<std::vector<move_result>>>([&](auto done) {
             kind_.shards(node).move(std::move(moves), std::move(done));
           })
      .get()
      .value();
  }

  expected<claimed_state> claim(std::optional<shard_ownership> owned,
                                int node = 0,
                                fencing_token token = testing::our_token) {
    return testing::begin<expected<claimed_state>>([&](auto done) {
             kind_.store(node).claim(cart, token, std::move(owned),
                                     std::move(done));
           })
      .get();
  }

  state_store& store(int node = 0) { return kind_.store(node); }

  lease_table& leases(int node = 0) { return kind_.leases(node); }

  const entity_id cart{"cart", "ann"};

private:
  Kind kind_;
  std::map<std::string, uint64_t> counters_;
};

TYPED_TEST_SUITE(cluster_contract, cluster_kinds);

// -- leases ------------------------------------------------------------------

TYPED_TEST(cluster_contract, a_first_renewal_makes_a_row_that_others_see) {
  auto view = this->renew(row("a", 0, node_state::joining));
  EXPECT_FALSE(view.fenced);
  EXPECT_EQ(view.counter, 1u);
  EXPECT_EQ(view.rows, std::vector{row("a", 1, node_state::joining)});
  EXPECT_EQ(this->seen("a"), row("a", 1, node_state::joining));
}

TYPED_TEST(cluster_contract, of_two_first_renewals_one_sees_the_other) {
  for (int i = 0; i < 100; ++i) {
    std::string names[] = {"a" + std::to_string(i), "b" + std::to_string(i)};
    std::future<expected<lease_view>> views[2];
    for (int node : {0, 1})
      views[node] = testing::begin<expected<lease_view>>([&](auto done) {
        this->leases(node).renew(row(names[node]), std::move(done));
      });
    auto seen = 0;
    for (int node : {0, 1}) {
      auto view = views[node].get().value();
      for (auto& x : view.rows)
        seen += x.incarnation == names[1 - node];
    }
    ASSERT_EQ(seen, 1) << "in round " << i;
  }
}

TYPED_TEST(cluster_contract,
           each_renewal_raises_the_counter_and_keeps_the_row) {
  this->renew(row("a"));
  auto changed = row("a", 1, node_state::draining);
  changed.http_url = "http://elsewhere";
  changed.capacity = 9;
  auto view = this->renew(changed);
  EXPECT_EQ(view.counter, 2u);
  changed.counter = 2;
  EXPECT_EQ(this->seen("a"), changed);
}

TYPED_TEST(cluster_contract, the_store_counts_whatever_the_node_believes) {
  this->renew(row("a"));
  EXPECT_EQ(this->renew(row("a", 70)).counter, 2u);
  EXPECT_EQ(this->renew(row("a", 0)).counter, 3u);
}

TYPED_TEST(cluster_contract, a_state_never_goes_back) {
  this->renew(row("a", 0, node_state::draining));
  this->renew(row("a", 1, node_state::up));
  EXPECT_EQ(this->seen("a")->state, node_state::draining);
}

TYPED_TEST(cluster_contract, a_renewal_sees_all_rows) {
  this->renew(row("a"));
  this->renew(row("b"), 1);
  std::vector<std::string> names;
  for (auto& x : this->renew(row("c")).rows)
    names.push_back(x.incarnation);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
}

TYPED_TEST(cluster_contract, one_that_is_declared_dead_never_renews_again) {
  this->renew(row("a"));
  EXPECT_EQ(this->declare_dead("a", 1, 1), verdict::dies);
  for (auto counter : {0u, 1u, 2u}) {
    auto view = this->renew(row("a", counter));
    EXPECT_TRUE(view.fenced);
  }
  EXPECT_EQ(this->seen("a"), row("a", 1, node_state::down));
}

TYPED_TEST(cluster_contract, one_that_has_renewed_since_is_not_declared_dead) {
  this->renew(row("a"));
  this->renew(row("a", 1));
  EXPECT_EQ(this->declare_dead("a", 1, 1), verdict::lives);
  EXPECT_FALSE(this->renew(row("a", 2)).fenced);
  EXPECT_EQ(this->declare_dead("a", 4, 1), verdict::lives);
}

TYPED_TEST(cluster_contract, declaring_the_dead_dead_says_that_they_were) {
  this->renew(row("a"));
  this->renew(row("a", 1));
  EXPECT_EQ(this->declare_dead("a", 2), verdict::dies);
  EXPECT_EQ(this->declare_dead("a", 2, 1), verdict::was_down);
  EXPECT_EQ(this->declare_dead("a", 1, 1), verdict::was_down);
  EXPECT_EQ(this->declare_dead("never was", 1), verdict::was_down);
}

TYPED_TEST(cluster_contract, one_that_left_is_not_declared_dead_any_more) {
  this->renew(row("a", 0, node_state::draining));
  this->leave("a");
  EXPECT_EQ(this->declare_dead("a", 1, 1), verdict::was_down);
}

TYPED_TEST(cluster_contract, one_that_left_never_renews_again) {
  this->renew(row("a"));
  this->leave("a");
  this->leave("a");
  EXPECT_TRUE(this->renew(row("a", 1)).fenced);
  EXPECT_EQ(this->seen("a")->state, node_state::down);
}

TYPED_TEST(cluster_contract, forgets_only_those_that_are_down) {
  this->renew(row("a"));
  this->renew(row("b"));
  this->leave("b");
  this->leases().forget("a");
  this->leases().forget("b");
  EXPECT_TRUE(this->renew(row("b", 1)).fenced);
  EXPECT_FALSE(this->renew(row("a", 1)).fenced);
  EXPECT_EQ(this->seen("b"), std::nullopt);
}

TYPED_TEST(cluster_contract, nothing_proves_the_death_of_a_process_that_lives) {
  this->renew(row("a"));
  EXPECT_FALSE(this->leases(1).proven_dead("a"));
  EXPECT_FALSE(this->leases().proven_dead("a"));
  EXPECT_FALSE(this->leases().proven_dead("never was"));
}

TYPED_TEST(cluster_contract, either_the_renewal_or_the_verdict_comes_first) {
  for (int round = 0; round < 50; ++round) {
    auto name = "n" + std::to_string(round);
    this->renew(row(name));
    auto fenced = false;
    auto dead = false;
    std::thread renewing{[&] { fenced = this->renew(row(name, 1), 0).fenced; }};
    std::thread judging{
      [&] { dead = this->declare_dead(name, 1, 1) == verdict::dies; }};
    renewing.join();
    judging.join();
    EXPECT_EQ(fenced, dead);
  }
}

// -- shards ------------------------------------------------------------------

TYPED_TEST(cluster_contract, the_first_decides_how_many_shards_there_are) {
  EXPECT_EQ(this->read(0, 0, 64).count, 64u);
  EXPECT_EQ(this->read(0, 1, 128).count, 64u);
  EXPECT_TRUE(this->read().rows.empty());
}

TYPED_TEST(cluster_contract, moves_what_is_as_it_is_expected_to_be) {
  this->read();
  auto results =
    this->move({{3, "", 0, "a"}, {5, "", 0, "a"}, {5, "a", 1, "b"}});
  EXPECT_EQ(results,
            (std::vector<move_result>{
              {true, {3, "a", 1}}, {true, {5, "a", 1}}, {true, {5, "b", 2}}}));
  auto view = this->read(0, 1);
  EXPECT_EQ(view.rows, (std::vector<shard_row>{{3, "a", 1}, {5, "b", 2}}));
}

TYPED_TEST(cluster_contract, a_move_that_does_not_fit_stops_no_other) {
  this->read();
  this->move({{3, "", 0, "a"}});
  auto results = this->move({{3, "", 0, "b"},
                             {3, "b", 1, "c"},
                             {3, "a", 2, "c"},
                             {4, "a", 0, "c"},
                             {6, "", 0, "c"}},
                            1);
  EXPECT_EQ(results, (std::vector<move_result>{{false, {3, "a", 1}},
                                               {false, {3, "a", 1}},
                                               {false, {3, "a", 1}},
                                               {false, {4, "", 0}},
                                               {true, {6, "c", 1}}}));
}

TYPED_TEST(cluster_contract, a_move_to_oneself_raises_the_epoch) {
  this->read();
  this->move({{3, "", 0, "a"}});
  EXPECT_EQ(this->move({{3, "a", 1, "a"}}),
            (std::vector<move_result>{{true, {3, "a", 2}}}));
  EXPECT_FALSE(this->move({{3, "a", 1, "b"}})[0].moved);
}

TYPED_TEST(cluster_contract, reads_only_what_has_moved_since) {
  this->read();
  this->move({{1, "", 0, "a"}, {2, "", 0, "a"}});
  auto first = this->read(0, 1);
  EXPECT_EQ(first.rows.size(), 2u);
  EXPECT_TRUE(this->read(first.version, 1).rows.empty());
  EXPECT_EQ(this->read(first.version, 1).count, count);
  this->move({{2, "a", 1, "b"}, {9, "", 0, "a"}});
  auto second = this->read(first.version, 1);
  EXPECT_EQ(second.rows, (std::vector<shard_row>{{2, "b", 2}, {9, "a", 1}}));
  EXPECT_GT(second.version, first.version);
}

TYPED_TEST(cluster_contract, one_of_those_wins_who_want_the_same_shard) {
  this->read();
  for (uint64_t round = 0; round < 50; ++round) {
    std::atomic<int> won{0};
    auto owner = round == 0 ? "" : "n" + std::to_string(round - 1);
    auto compete = [&](int node) {
      if (this->move({{7, owner, round, "n" + std::to_string(round)}}, node)[0]
            .moved)
        ++won;
    };
    std::thread one{compete, 0};
    std::thread two{compete, 1};
    one.join();
    two.join();
    ASSERT_EQ(won, 1);
  }
}

// -- claims ------------------------------------------------------------------

TYPED_TEST(cluster_contract, the_owner_of_a_shard_claims_its_entities) {
  this->read();
  this->move({{7, "", 0, "a"}});
  EXPECT_TRUE(this->claim(shard_ownership{7, "a", 1}));
  EXPECT_EQ(testing::commit(this->store(), testing::change(this->cart, 0, "1")),
            commit_outcome::done);
  EXPECT_EQ(this->claim(shard_ownership{7, "a", 1}).value().found.state, "1");
}

TYPED_TEST(cluster_contract, a_claim_on_other_grounds_has_no_effect) {
  this->read();
  this->move({{7, "", 0, "a"}, {7, "a", 1, "b"}});
  EXPECT_TRUE(this->claim(shard_ownership{7, "b", 2}, 1));
  for (auto& owned : {shard_ownership{7, "a", 1}, shard_ownership{7, "a", 2},
                      shard_ownership{7, "b", 1}, shard_ownership{7, "b", 3},
                      shard_ownership{8, "b", 2}, shard_ownership{8, "", 0}}) {
    auto refused = this->claim(owned, 0, {3, 4});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), errc::not_owner);
    EXPECT_EQ(refused.error().what_happened(), effect::none);
  }
  EXPECT_EQ(
    testing::commit(this->store(1), testing::change(this->cart, 0, "1")),
    commit_outcome::done);
}

TYPED_TEST(cluster_contract, a_refused_claim_refuses_none_of_those_beside_it) {
  this->read();
  this->move({{7, "", 0, "a"}});
  std::vector<std::future<expected<claimed_state>>> claims;
  for (int i = 0; i < 100; ++i)
    claims.push_back(testing::begin<expected<claimed_state>>([&](auto done) {
      this->store().claim({"cart", std::to_string(i)}, testing::our_token,
                          shard_ownership{7, "a", i % 2 + 1u}, done);
    }));
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(claims[i].get().has_value(), i % 2 == 0) << i;
}

TYPED_TEST(cluster_contract, a_claim_comes_before_or_after_a_move) {
  this->read();
  this->move({{7, "", 0, "n0"}});
  for (uint64_t round = 1; round <= 50; ++round) {
    auto name = [](uint64_t i) { return "n" + std::to_string(i); };
    auto ours = shard_ownership{7, name(round - 1), round};
    auto theirs = shard_ownership{7, name(round), round + 1};
    auto claimed = false;
    std::thread claiming{[&] {
      claimed = this->claim(ours, 0, {1, round}).has_value();
    }};
    std::thread moving{[&] {
      this->move({{7, ours.owner, ours.epoch, theirs.owner}}, 1);
      EXPECT_TRUE(this->claim(theirs, 1, {2, round}));
    }};
    claiming.join();
    moving.join();
    // Whether ours came in time or not, it is the new owner's token that
    // counts.
    auto found = this->claim(theirs, 1, {3, round}).value();
    EXPECT_EQ(found.previous, (fencing_token{2, round}));
  }
}

} // namespace
} // namespace troupe
