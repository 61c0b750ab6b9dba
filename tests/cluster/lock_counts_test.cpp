#include "actors/cluster/lock_counts.hpp"

#include <numeric>

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;

struct lock_counts_test : ::testing::Test {
  lock_counts counts;
  lock_counts::time_point now{1h};
  const lock_proof door{"door", 1};

  size_t held(std::chrono::nanoseconds later = 0ns) {
    return counts.read(now + later).held;
  }
};

TEST_F(lock_counts_test, holds_what_was_granted_until_its_time_is_over) {
  counts.granted(door, now, 10ms, 0ns);
  counts.granted({"gate", 1}, now, 20ms, 0ns);
  EXPECT_EQ(held(), 2u);
  EXPECT_EQ(held(9ms), 2u);
  EXPECT_EQ(held(10ms), 1u);
  EXPECT_EQ(held(20ms), 0u);
  EXPECT_EQ(counts.read(now).grants, 2u);
}

TEST_F(lock_counts_test, holds_no_lock_that_was_released_or_lost) {
  counts.granted(door, now, 1h, 0ns);
  counts.released({"door", 2});
  EXPECT_EQ(held(), 1u);
  counts.released(door);
  EXPECT_EQ(held(), 0u);
  counts.granted({"door", 2}, now, 1h, 0ns);
  counts.renewal_refused({"door", 2});
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(counts.read(now).renewals_refused, 1u);
}

TEST_F(lock_counts_test, holds_a_lock_for_longer_that_was_renewed) {
  counts.granted(door, now, 10ms, 0ns);
  counts.renewed(door, now + 1h);
  EXPECT_EQ(held(59min), 1u);
  counts.renewed({"of another node", 1}, now + 1h);
  EXPECT_EQ(held(), 1u);
}

TEST_F(lock_counts_test, counts_waits_by_their_length) {
  counts.granted(door, now, 1ms, 0ns);
  counts.granted(door, now, 1ms, 3us);
  counts.granted(door, now, 1ms, 1h);
  auto x = counts.read(now);
  EXPECT_EQ(x.waited[0], 1u);
  EXPECT_EQ(x.waited[2], 1u) << "shorter than 4 us";
  EXPECT_EQ(x.waited.back(), 1u);
  EXPECT_EQ(std::accumulate(x.waited.begin(), x.waited.end(), uint64_t{0}), 3u);
  EXPECT_EQ(x.waited_ns, 3'600'000'003'000u);
}

TEST_F(lock_counts_test, watches_no_more_than_it_says) {
  for (uint64_t i = 1; i <= lock_counts::held_max + 10; ++i)
    counts.granted({"door", i}, now, 10ms, 0ns);
  EXPECT_EQ(held(), lock_counts::held_max);
  // Those whose time is over make room, though nobody looks.
  now += 1s;
  for (uint64_t i = 0; i < lock_counts::tidy_interval; ++i)
    counts.granted({"gate", i}, now, 10ms, 0ns);
  counts.granted({"gate", 1}, now, 10ms, 0ns);
  EXPECT_GE(held(), 1u);
}

} // namespace
} // namespace troupe
