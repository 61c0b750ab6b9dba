#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "actors/model/missed_firings.hpp"

namespace troupe {
namespace {

using namespace std::chrono;

constexpr sys_seconds start = sys_days{2026y / 1 / 1};

schedule every_ten_minutes() {
  return *parse_schedule("rate(10 minutes)", {utc_zone(), start});
}

std::vector<sys_seconds> at_minutes(const std::vector<int>& from_start) {
  std::vector<sys_seconds> result;
  for (auto x : from_start)
    result.push_back(start + minutes{x});
  return result;
}

catch_up after(minutes now, missed_firings missed, size_t most = 100) {
  return firings_to_run(every_ten_minutes(), start, start + now,
                        {missed, 60s, most});
}

TEST(missed_firings, one_that_is_on_time_is_run_whatever_the_policy) {
  using enum missed_firings;
  for (auto x : {skip, once, all}) {
    EXPECT_EQ(after(10min, x).run, at_minutes({10}));
    EXPECT_EQ(after(11min, x).run, at_minutes({10}));
    EXPECT_TRUE(after(9min, x).run.empty());
    EXPECT_EQ(after(9min, x).seen, start + 9min);
  }
}

TEST(missed_firings, skip_runs_none_of_them) {
  EXPECT_TRUE(after(35min, missed_firings::skip).run.empty());
  EXPECT_EQ(after(35min, missed_firings::skip).seen, start + 35min);
  EXPECT_EQ(after(40min, missed_firings::skip).run, at_minutes({40}));
  EXPECT_EQ(after(35min, missed_firings::skip).skipped, 3u);
  EXPECT_EQ(after(40min, missed_firings::skip).skipped, 3u);
}

TEST(missed_firings, once_runs_the_last_of_them) {
  EXPECT_EQ(after(35min, missed_firings::once).run, at_minutes({30}));
  EXPECT_EQ(after(40min, missed_firings::once).run, at_minutes({30, 40}));
  EXPECT_EQ(after(24h * 365, missed_firings::once).run.size(), 2u);
  EXPECT_EQ(after(35min, missed_firings::once).skipped, 2u);
  EXPECT_EQ(after(5min, missed_firings::once).skipped, 0u);
  EXPECT_EQ(after(24h * 365, missed_firings::once).skipped,
            catch_up::skipped_max - 1);
}

TEST(missed_firings, all_runs_each_oldest_first) {
  EXPECT_EQ(after(35min, missed_firings::all).run, at_minutes({10, 20, 30}));
  EXPECT_EQ(after(35min, missed_firings::all).skipped, 0u);
}

TEST(missed_firings, what_is_too_much_at_once_is_run_the_next_time) {
  auto first = after(65min, missed_firings::all, 4);
  EXPECT_EQ(first.run, at_minutes({10, 20, 30, 40}));
  EXPECT_EQ(first.seen, start + 40min);
  auto second = firings_to_run(every_ten_minutes(), first.seen, start + 65min,
                               {missed_firings::all, 60s, 4});
  EXPECT_EQ(second.run, at_minutes({50, 60}));
  EXPECT_EQ(second.seen, start + 65min);
  // Of the two of `once`, too.
  auto third = after(40min, missed_firings::once, 1);
  EXPECT_EQ(third.run, at_minutes({30}));
  EXPECT_EQ(third.seen, start + 30min);
}

TEST(missed_firings, a_clock_that_is_set_back_runs_nothing_again) {
  auto result = firings_to_run(every_ten_minutes(), start + 35min, start + 5min,
                               {missed_firings::all, 60s, 100});
  EXPECT_TRUE(result.run.empty());
  EXPECT_EQ(result.seen, start + 35min);
}

TEST(missed_firings, looking_often_or_seldom_runs_each_once) {
  using enum missed_firings;
  for (auto step : {1s, 37s, 60s})
    for (auto policy : {skip, once, all}) {
      std::vector<sys_seconds> run;
      auto seen = start;
      for (auto now = start; now <= start + 65min; now += step) {
        auto x =
          firings_to_run(every_ten_minutes(), seen, now, {policy, 60s, 100});
        run.insert(run.end(), x.run.begin(), x.run.end());
        seen = x.seen;
      }
      EXPECT_EQ(run, at_minutes({10, 20, 30, 40, 50, 60}));
    }
}

TEST(missed_firings, policies_have_names) {
  using enum missed_firings;
  for (auto x : {skip, once, all})
    EXPECT_EQ(parse_missed_firings(to_string(x)), x);
  EXPECT_EQ(to_string(skip), "skip");
  EXPECT_EQ(parse_missed_firings("never"), std::nullopt);
}

TEST(missed_firings, options_are_checked) {
  EXPECT_FALSE(catch_up_options{}.validate());
  EXPECT_TRUE((catch_up_options{missed_firings::all, -1s, 1}.validate()));
  EXPECT_TRUE((catch_up_options{missed_firings::all, 0s, 0}.validate()));
}

} // namespace
} // namespace troupe
