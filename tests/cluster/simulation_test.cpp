// Whatever happens to clocks, processes and the store, no two nodes serve a
// shard, clients see one counter a key, and all comes to rest when the faults
// end. The seeds are printed; TROUPE_SEED repeats one, TROUPE_ROUNDS does more
// of them.
//
// A checker that finds nothing may be blind: so the second half plants bugs in
// what the nodes run, and each must be found.

#include <chrono>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/simulated_cluster.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::planted_bugs;
using testing::simulation;
using testing::simulation_options;

/// What a run came to.
struct result {
  std::vector<std::string> violations;
  bool linearizable = true;
  std::string unrest;
  uint64_t moves_after = 0;
  uint64_t declared = 0;
  testing::history_counts counts;

  bool found_something() const {
    return !violations.empty() || !linearizable || !unrest.empty()
           || moves_after > 0;
  }
};

/// Faults at random.
class storm {
public:
  explicit storm(simulation_options options) : cluster(options) {
    for (auto id : {"a", "b", "c", "d"})
      cluster.start(id);
    cluster.advance(10s);
  }

  result run() {
    cluster.faults = faults;
    cluster.calls_lost = 10;
    for (int i = 0; i < 600; ++i) {
      call();
      if (cluster.chance(40))
        fault();
      cluster.advance(cluster.between(0s, 150ms));
    }
    return end();
  }

  simulation cluster;
  testing::store_faults faults{20, 20, 20, 20};

private:
  void call() {
    auto by = static_cast<int64_t>(cluster.random()() % 3);
    cluster.call(static_cast<uint32_t>(cluster.random()() % 8),
                 "k" + std::to_string(cluster.random()() % 5), by);
  }

  std::string any() {
    auto names = cluster.alive();
    return names[cluster.random()() % names.size()];
  }

  void fault() {
    if (cluster.alive().empty())
      return; // some come back
    auto id = any();
    auto time = cluster.between(100ms, 12s);
    switch (cluster.random()() % 7) {
    case 0:
      if (cluster.alive().size() < 2)
        return;
      cluster.kill(id);
      return cluster.after(time, [=, this] { restart(id); });
    case 1:
      cluster.pause(id);
      return cluster.after(time, [=, this] { cluster.wake(id); });
    case 2:
      cluster.sleep(id);
      return cluster.after(time, [=, this] { cluster.wake(id); });
    case 3:
      cluster.store_away(id, true);
      return cluster.after(time, [=, this] { cluster.store_away(id, false); });
    case 4:
      cluster.store_away(true);
      return cluster.after(time / 2, [=, this] { cluster.store_away(false); });
    case 5:
      cluster.drain(id);
      return cluster.after(time, [=, this] { restart(id); });
    case 6:
      return restart("e");
    }
  }

  void restart(const std::string& id) {
    if (!cluster.is_alive(id))
      cluster.start(id);
  }

  result end() {
    cluster.advance(20s); // faults that are under way end
    cluster.faults = {};
    cluster.calls_lost = 0;
    cluster.store_away(false);
    for (auto& id : cluster.alive()) {
      cluster.store_away(id, false);
      cluster.wake(id);
    }
    cluster.advance(60s); // also the longest drain
    result x;
    x.unrest = cluster.unrest();
    auto moves = cluster.moves();
    cluster.advance(30s);
    x.moves_after = cluster.moves() - moves;
    x.violations = cluster.violations();
    x.linearizable = static_cast<bool>(testing::is_linearizable(cluster.calls));
    x.counts = cluster.calls.counts();
    for (auto& id : cluster.alive())
      x.declared += cluster.state(id).counts.declared;
    return x;
  }
};

result run(uint64_t seed, planted_bugs bugs = {},
           testing::store_faults faults = {20, 20, 20, 20}) {
  simulation_options options;
  options.seed = seed;
  options.bugs = bugs;
  options.proof_of_death = seed % 4 == 0;
  storm all{options};
  all.faults = faults;
  return all.run();
}

TEST(simulation, keeps_every_promise_whatever_happens) {
  auto first = testing::history_seed();
  auto rounds = testing::number_from_environment("TROUPE_ROUNDS", 20);
  testing::history_counts counts;
  for (uint64_t seed = first; seed < first + rounds; ++seed) {
    auto x = run(seed);
    counts += x.counts;
    EXPECT_THAT(x.violations, ::testing::IsEmpty()) << "seed " << seed;
    EXPECT_TRUE(x.linearizable) << "seed " << seed;
    EXPECT_EQ(x.unrest, "") << "seed " << seed;
    EXPECT_EQ(x.moves_after, 0u) << "seed " << seed;
    if (HasFailure())
      break;
  }
  std::cout << counts << '\n';
  EXPECT_GT(counts.completed, counts.operations / 3);
}

TEST(simulation, a_seed_gives_the_same_run_again) {
  auto one = run(7);
  auto two = run(7);
  EXPECT_EQ(one.counts.completed, two.counts.completed);
  EXPECT_EQ(one.counts.failed, two.counts.failed);
  EXPECT_EQ(one.declared, two.declared);
}

// -- planted bugs ------------------------------------------------------------

/// The first seed that finds it; the test fails if none of many does.
void expect_found(planted_bugs bugs,
                  testing::store_faults faults = {20, 20, 20, 20}) {
  auto begin = std::chrono::steady_clock::now();
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    auto x = run(seed, bugs, faults);
    if (!x.found_something())
      continue;
    auto time = std::chrono::steady_clock::now() - begin;
    std::cout << "found with seed " << seed << " after "
              << std::chrono::duration<double>(time).count() << " s: "
              << (!x.violations.empty() ? x.violations.front()
                  : !x.linearizable     ? "no counter explains the history"
                                        : x.unrest)
              << '\n';
    return;
  }
  FAIL() << "nothing was found";
}

TEST(simulation, finds_a_node_that_goes_on_with_an_old_epoch) {
  planted_bugs bugs;
  bugs.stale_epoch_accepted = true;
  expect_found(bugs);
}

TEST(simulation, finds_a_node_that_serves_after_its_lease) {
  planted_bugs bugs;
  bugs.expired_lease_served = true;
  expect_found(bugs);
}

TEST(simulation, finds_commits_whose_token_nobody_checks) {
  planted_bugs bugs;
  bugs.token_unchecked = true;
  expect_found(bugs);
}

TEST(simulation, finds_claims_whose_grounds_nobody_checks) {
  planted_bugs bugs;
  bugs.claim_unchecked = true;
  expect_found(bugs);
}

TEST(simulation, finds_a_move_without_an_answer_that_is_taken_for_none) {
  planted_bugs bugs;
  bugs.unknown_move_ignored = true;
  expect_found(bugs, {100, 20, 200, 20});
}

/// Takeovers after outages of the store.
uint64_t takeovers_after_outages(planted_bugs bugs) {
  simulation_options options;
  options.bugs = bugs;
  simulation cluster{options};
  for (auto id : {"a", "b", "c"})
    cluster.start(id);
  cluster.advance(20s);
  for (int i = 0; i < 10; ++i) {
    cluster.store_away(true);
    cluster.advance(cluster.between(5s, 10s));
    cluster.store_away(false);
    cluster.advance(10s);
  }
  uint64_t result = 0;
  for (auto& id : cluster.alive())
    result += cluster.state(id).counts.declared;
  return result;
}

TEST(simulation, finds_a_node_that_judges_while_its_own_renewals_fail) {
  EXPECT_EQ(takeovers_after_outages({}), 0u);
  planted_bugs bugs;
  bugs.judged_without_looking = true;
  EXPECT_GT(takeovers_after_outages(bugs), 0u);
}

} // namespace
} // namespace troupe
