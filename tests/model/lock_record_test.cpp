// How one lock changes hands, and what clocks have to do with it.

#include <random>

#include <gtest/gtest.h>

#include "actors/model/lock_record.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

lock_time at(std::chrono::milliseconds since_boot,
             std::chrono::milliseconds wall = 1000s,
             std::string boot = "first") {
  return {std::move(boot), since_boot, wall};
}

TEST(lock_record, is_free_at_the_moment_when_its_time_is_over) {
  lock_record x;
  ASSERT_TRUE(x.acquire("ann", 100ms, at(1s)));
  EXPECT_EQ(x.left(at(1099ms)), 1ms);
  EXPECT_FALSE(x.acquire("bob", 100ms, at(1099ms)));
  EXPECT_EQ(x.left(at(1100ms)), 0ms);
  EXPECT_TRUE(x.acquire("bob", 100ms, at(1100ms)));
  EXPECT_EQ(x.token, 2u);
}

TEST(lock_record, a_wall_clock_that_is_set_changes_nothing) {
  lock_record x;
  x.acquire("ann", 100ms, at(1s, 1000s));
  EXPECT_EQ(x.left(at(1s, 5000s)), 100ms);
  EXPECT_EQ(x.left(at(1s, 0s)), 100ms);
  EXPECT_FALSE(x.held(at(1100ms, 0s)));
}

TEST(lock_record, goes_by_the_wall_clock_after_another_start) {
  lock_record x;
  x.acquire("ann", 10s, at(500s, 1000s));
  EXPECT_EQ(x.left(at(1s, 1004s, "second")), 6s);
  EXPECT_FALSE(x.held(at(1s, 1010s, "second")));
}

TEST(lock_record, lasts_no_longer_for_a_wall_clock_that_was_set_back) {
  lock_record x;
  x.acquire("ann", 10s, at(500s, 1000s));
  // A year back.
  auto wall = 1000s - 8760h;
  EXPECT_EQ(x.left(at(1s, wall, "second")), 10s);
  EXPECT_FALSE(x.acquire("bob", 1s, at(1s, wall, "second")));
  EXPECT_FALSE(x.acquire("bob", 1s, at(10'999ms, wall, "second")));
  EXPECT_TRUE(x.acquire("bob", 1s, at(11s, wall, "second")));
}

TEST(lock_record, can_be_shown_until_it_was_released_or_is_somebody_elses) {
  lock_record x;
  EXPECT_FALSE(x.proves(0));
  x.acquire("ann", 100ms, at(1s));
  EXPECT_TRUE(x.proves(1));
  EXPECT_FALSE(x.proves(2));
  // Its time is over, but nobody else was granted it.
  EXPECT_FALSE(x.held(at(2s)));
  EXPECT_TRUE(x.proves(1));
  x.acquire("bob", 100ms, at(2s));
  EXPECT_FALSE(x.proves(1));
  EXPECT_TRUE(x.proves(2));
  x.release(2);
  EXPECT_FALSE(x.proves(2));
}

TEST(lock_record, whose_time_is_over_cannot_be_renewed) {
  lock_record x;
  x.acquire("ann", 100ms, at(1s));
  EXPECT_TRUE(x.renew(1, 500ms, at(1099ms)));
  EXPECT_EQ(x.left(at(1100ms)), 499ms);
  EXPECT_FALSE(x.renew(1, 500ms, at(1599ms)));
  EXPECT_FALSE(x.renew(2, 500ms, at(1100ms)));
}

TEST(lock_record, that_was_never_granted_cannot_be_released) {
  lock_record x;
  EXPECT_FALSE(x.release(0));
  EXPECT_FALSE(x.release(1));
  EXPECT_EQ(x, lock_record{});
}

// Whatever happens in which order, under clocks that are set and machines that
// start anew: at any moment at most one token can be shown, it never falls, and
// a grant is never given away before its time by the clock that nobody can set.
TEST(lock_record, never_has_two_holders) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  lock_record x;
  auto now = at(1s);
  uint64_t boots = 0;
  lock_time promised; // to whoever was granted it last
  for (int i = 0; i < 20'000; ++i) {
    auto before = x;
    auto time = std::chrono::milliseconds{1 + random() % 100};
    auto of = x.token - std::min<uint64_t>(x.token, random() % 3);
    auto granted = false;
    switch (random() % 8) {
    case 0:
    case 1:
      granted = x.acquire(std::to_string(random() % 3), time, now);
      break;
    case 2:
      granted = x.renew(of, time, now);
      break;
    case 3:
      x.release(of);
      break;
    case 4:
      now.wall += std::chrono::milliseconds{random() % 20'000} - 10s;
      break;
    case 5:
      if (random() % 20 == 0)
        now = at(0ms, now.wall, std::to_string(++boots));
      break;
    default:
      now.since_boot += std::chrono::milliseconds{random() % 40};
      now.wall += 20ms;
    }
    ASSERT_GE(x.token, before.token);
    ASSERT_LE(x.token, before.token + 1);
    ASSERT_LE(x.left(now), x.ttl);
    if (x.token > before.token && before.proves(before.token)
        && promised.boot == now.boot) {
      ASSERT_GE(now.since_boot, promised.since_boot) << "given away early";
    }
    if (granted)
      promised = x.end;
    for (uint64_t t = x.token - std::min<uint64_t>(x.token, 4); t < x.token;
         ++t) {
      ASSERT_FALSE(x.proves(t));
    }
  }
}

} // namespace
} // namespace troupe
