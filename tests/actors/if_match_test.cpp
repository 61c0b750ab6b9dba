#include "actors/service/if_match.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(if_match, holds_for_the_revision_alone_or_in_a_list) {
  for (auto x : {"\"7\"", " \"7\" ", "\"6\",\"7\"", "\"6\" ,\t\"7\"",
                 ",\"7\",,", "W/\"7\", \"7\"", "\"a,b\", \"7\""})
    EXPECT_EQ(check_if_match(x, 7), if_match::holds) << x;
}

TEST(if_match, differs_for_any_other_tag) {
  for (auto x : {"\"6\"", "\"07\"", "\"\"", "W/\"7\"", "\"seven\"",
                 "\"6\", \"8\"", "\"77\""})
    EXPECT_EQ(check_if_match(x, 7), if_match::differs) << x;
}

TEST(if_match, takes_a_star_for_any_revision_that_was_committed) {
  EXPECT_EQ(check_if_match("*", 1), if_match::holds);
  EXPECT_EQ(check_if_match(" * ", 9), if_match::holds);
  EXPECT_EQ(check_if_match("*", 0), if_match::differs);
}

TEST(if_match, holds_for_zero_before_the_first_commit) {
  EXPECT_EQ(check_if_match("\"0\"", 0), if_match::holds);
  EXPECT_EQ(check_if_match("\"0\"", 1), if_match::differs);
}

TEST(if_match, cannot_read_what_the_grammar_does_not_have) {
  for (auto x : {"", " ", ",", "7", "\"7", "7\"", "\"7\" \"8\"", "*,\"7\"",
                 "\"7\",*", "w/\"7\"", "W/7", "\"7 \"", "\"7\"x", "**", "'7'"})
    EXPECT_EQ(check_if_match(x, 7), if_match::malformed) << x;
}

} // namespace
} // namespace troupe
