// The window as a property: whatever the times, it says what a plain list of
// all restarts says.

#include "actors/model/restart_window.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using time_point = restart_window::time_point;

constexpr time_point start = time_point{} + 1h;

TEST(restart_window, allows_as_many_restarts_as_its_intensity) {
  restart_window window{2, 5s};
  EXPECT_TRUE(window.record(start));
  EXPECT_TRUE(window.record(start));
  EXPECT_FALSE(window.record(start));
}

TEST(restart_window, of_intensity_zero_allows_none) {
  restart_window window{0, 5s};
  EXPECT_FALSE(window.record(start));
}

TEST(restart_window, forgets_a_restart_that_is_older_than_its_period) {
  restart_window window{1, 5s};
  EXPECT_TRUE(window.record(start));
  EXPECT_TRUE(window.record(start + 5s + 1ns));
}

TEST(restart_window, still_counts_a_restart_that_is_exactly_one_period_old) {
  restart_window window{1, 5s};
  EXPECT_TRUE(window.record(start));
  EXPECT_FALSE(window.record(start + 5s));
}

TEST(restart_window, counts_what_is_in_the_window) {
  restart_window window{5, 5s};
  EXPECT_TRUE(window.record(start));
  EXPECT_TRUE(window.record(start + 3s));
  EXPECT_EQ(window.count(start + 4s), 2u);
  EXPECT_EQ(window.count(start + 6s), 1u);
  EXPECT_EQ(window.count(start + 9s), 0u);
}

TEST(restart_window, is_as_new_after_clear) {
  restart_window window{1, 5s};
  EXPECT_TRUE(window.record(start));
  EXPECT_FALSE(window.record(start));
  window.clear();
  EXPECT_EQ(window.count(start), 0u);
  EXPECT_TRUE(window.record(start));
}

class restart_window_property : public ::testing::TestWithParam<unsigned> {};

TEST_P(restart_window_property, agrees_with_a_list_of_all_restarts) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::mt19937_64 random{GetParam()};
  auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>{low, high}(random);
  };
  auto intensity = static_cast<uint32_t>(draw(0, 6));
  std::chrono::nanoseconds period{draw(1, 50)};
  restart_window window{intensity, period};
  std::vector<time_point> all;
  auto now = start;
  for (auto i = 0; i < 2000; ++i) {
    now += std::chrono::nanoseconds{draw(0, 20)};
    all.push_back(now);
    auto recent = std::count_if(
      all.begin(), all.end(), [&](time_point x) { return now - x <= period; });
    ASSERT_EQ(window.record(now), recent <= int64_t{intensity}) << "step " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, restart_window_property,
                         ::testing::Range(1u, 21u));

} // namespace
} // namespace troupe
