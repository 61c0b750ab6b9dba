#include "actors/model/backoff.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;

TEST(backoff, doubles_its_ceiling_up_to_the_cap) {
  backoff delays{{100ms, 1s}};
  EXPECT_EQ(delays.ceiling(0), 100ms);
  EXPECT_EQ(delays.ceiling(1), 200ms);
  EXPECT_EQ(delays.ceiling(2), 400ms);
  EXPECT_EQ(delays.ceiling(3), 800ms);
  EXPECT_EQ(delays.ceiling(4), 1s);
  EXPECT_EQ(delays.ceiling(5), 1s);
}

TEST(backoff, does_not_overflow) {
  backoff delays{{1ns, std::chrono::nanoseconds::max()}};
  EXPECT_EQ(delays.ceiling(62), std::chrono::nanoseconds{int64_t{1} << 62});
  EXPECT_EQ(delays.ceiling(63), std::chrono::nanoseconds::max());
  EXPECT_EQ(delays.ceiling(4'000'000'000u), std::chrono::nanoseconds::max());
}

TEST(backoff, without_a_base_never_waits) {
  backoff delays{{}};
  std::mt19937_64 random{1};
  for (uint32_t attempt = 0; attempt < 100; ++attempt)
    EXPECT_EQ(delays.delay(attempt, random), 0ns);
}

TEST(backoff, is_repeated_by_the_same_seed) {
  backoff delays{{100ms, 10s}};
  std::mt19937_64 one{7}, other{7}, third{8};
  auto differs = false;
  for (uint32_t attempt = 0; attempt < 20; ++attempt) {
    auto x = delays.delay(attempt, one);
    EXPECT_EQ(x, delays.delay(attempt, other));
    differs = differs || x != delays.delay(attempt, third);
  }
  EXPECT_TRUE(differs);
}

TEST(backoff, refuses_options_that_make_no_sense) {
  EXPECT_FALSE((backoff_options{0ns, 0ns}.validate()));
  EXPECT_FALSE((backoff_options{1s, 1s}.validate()));
  EXPECT_TRUE((backoff_options{-1ns, 1s}.validate()));
  EXPECT_TRUE((backoff_options{2s, 1s}.validate()));
}

class backoff_property : public ::testing::TestWithParam<unsigned> {};

// Full jitter: every delay from nothing to the ceiling is as likely.
TEST_P(backoff_property, spreads_delays_evenly_below_the_ceiling) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::mt19937_64 random{GetParam()};
  backoff delays{{100ms, 5s}};
  for (uint32_t attempt = 0; attempt < 8; ++attempt) {
    auto ceiling = delays.ceiling(attempt);
    constexpr auto draws = 4000;
    int quarters[4] = {};
    for (auto i = 0; i < draws; ++i) {
      auto x = delays.delay(attempt, random);
      ASSERT_GE(x, 0ns);
      ASSERT_LE(x, ceiling);
      ++quarters[std::min<int64_t>(3, 4 * x.count() / ceiling.count())];
    }
    // 1000 expected; 150 are 5.5 standard deviations
    for (auto n : quarters)
      EXPECT_NEAR(n, draws / 4.0, 150) << "attempt " << attempt;
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, backoff_property, ::testing::Range(1u, 11u));

} // namespace
} // namespace troupe
