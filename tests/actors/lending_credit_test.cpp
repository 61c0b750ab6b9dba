#include "actors/core/lending_credit.hpp"

#include <gtest/gtest.h>

using namespace std::literals;

namespace troupe {
namespace {

int32_t after_short_runs(int32_t credit, int count) {
  for (int i = 0; i < count; ++i)
    credit = credit_after(credit, 1us);
  return credit;
}

TEST(lending_credit, is_earned_by_four_short_runs_in_a_row) {
  EXPECT_FALSE(may_be_lent(0));
  EXPECT_FALSE(may_be_lent(after_short_runs(0, 3)));
  EXPECT_TRUE(may_be_lent(after_short_runs(0, 4)));
}

TEST(lending_credit, is_lost_by_a_run_that_is_not_short) {
  auto credit = credit_after(after_short_runs(0, 1000), 200us);
  EXPECT_FALSE(may_be_lent(credit));
  EXPECT_TRUE(may_be_lent(after_short_runs(credit, 4)));
}

TEST(lending_credit, is_lost_for_long_by_a_long_run) {
  for (auto before : {0, 4, 100, 255}) {
    auto credit = credit_after(after_short_runs(0, before), 2ms);
    EXPECT_FALSE(may_be_lent(after_short_runs(credit, 259))) << before;
    EXPECT_TRUE(may_be_lent(after_short_runs(credit, 260))) << before;
  }
}

TEST(lending_credit, lets_one_long_run_pass_after_many_short_ones) {
  auto credit = credit_after(after_short_runs(0, 256), 2ms);
  EXPECT_FALSE(may_be_lent(credit));
  credit = after_short_runs(credit, 4);
  EXPECT_TRUE(may_be_lent(credit));
  EXPECT_FALSE(may_be_lent(after_short_runs(credit_after(credit, 2ms), 259)));
}

} // namespace
} // namespace troupe
