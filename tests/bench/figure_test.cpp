// What a figure is made of, and when it is good enough.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/bench/report.hpp"

namespace troupe::bench {

namespace {

TEST(figure, has_the_median_of_the_rounds_own_ratios) {
  // The machine was slow in the second round, for both.
  auto x = from_rounds("f", "calls/s", "bare", at_least(0.9),
                       {{100, 110}, {10, 5}, {200, 180}});
  EXPECT_DOUBLE_EQ(*x.bare, 100);
  EXPECT_DOUBLE_EQ(x.ours, 110);
  EXPECT_DOUBLE_EQ(*x.ratio, 0.9);
  EXPECT_TRUE(x.met());
}

TEST(figure, has_the_middle_of_an_even_number_of_rounds) {
  EXPECT_DOUBLE_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(median({7}), 7);
}

TEST(figure, is_judged_by_its_ratio_or_else_by_itself) {
  auto compared = from_rounds("f", "us", "bare", at_most(1.3), {{10, 14}});
  EXPECT_FALSE(compared.met());
  figure alone;
  alone.ours = 15.9;
  alone.required = at_most(16);
  EXPECT_TRUE(alone.met());
  alone.required = at_least(16);
  EXPECT_FALSE(alone.met());
}

TEST(report, marks_a_figure_that_is_below_and_one_that_is_above) {
  auto slow = from_rounds("f", "calls/s", "bare", at_least(1), {{2, 1}});
  EXPECT_NE(table_row(slow).find("below"), std::string::npos);
  auto late = from_rounds("f", "us", "bare", at_most(1), {{1, 2}});
  EXPECT_NE(table_row(late).find("above"), std::string::npos);
}

TEST(report, gives_programs_every_round) {
  auto x = from_rounds("f", "calls/s", "bare", at_least(1), {{2, 1}, {4, 8}});
  auto json = nlohmann::json::parse(to_json("a machine", {x}));
  EXPECT_EQ(json["machine"], "a machine");
  auto& first = json["figures"][0];
  EXPECT_EQ(first["rounds"].size(), 2u);
  EXPECT_EQ(first["rounds"][1]["ours"], 8);
  EXPECT_EQ(first["required"], ">= 1");
  EXPECT_EQ(first["met"], true);
}

} // namespace

} // namespace troupe::bench
