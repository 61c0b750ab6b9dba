#include "actors/service/if_match.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(if_match, holds_for_the_revision_alone_or_in_a_list) {
  for (auto x : {"\"7\"", " \"7\" ", "\"6\",\"7\"", "\"6\" ,\t\"7\"",
                 ",\"7\",,", "W/\"7\", \"7\"", "\"a,b\", \"7\""})
    EXPECT_EQ(check_if_match(x, 7, true), if_match::holds) << x;
}

TEST(if_match, differs_for_any_other_tag) {
  for (auto x : {"\"6\"", "\"07\"", "\"\"", "W/\"7\"", "\"seven\"",
                 "\"6\", \"8\"", "\"77\""})
    EXPECT_EQ(check_if_match(x, 7, true), if_match::differs) << x;
}

TEST(if_match, takes_a_star_for_any_entity_that_exists) {
  EXPECT_EQ(check_if_match("*", 1, true), if_match::holds);
  EXPECT_EQ(check_if_match(" * ", 9, true), if_match::holds);
  EXPECT_EQ(check_if_match("*", 0, false), if_match::differs);
}

TEST(if_match, knows_an_entity_that_was_deleted_by_its_revision_only) {
  EXPECT_EQ(check_if_match("*", 3, false), if_match::differs);
  EXPECT_EQ(check_if_match("\"3\"", 3, false), if_match::holds);
}

TEST(if_match, holds_for_zero_before_the_first_commit) {
  EXPECT_EQ(check_if_match("\"0\"", 0, false), if_match::holds);
  EXPECT_EQ(check_if_match("\"0\"", 1, true), if_match::differs);
}

TEST(if_match, cannot_read_what_the_grammar_does_not_have) {
  for (auto x : {"", " ", ",", "7", "\"7", "7\"", "\"7\" \"8\"", "*,\"7\"",
                 "\"7\",*", "w/\"7\"", "W/7", "\"7 \"", "\"7\"x", "**", "'7'"})
    EXPECT_EQ(check_if_match(x, 7, true), if_match::malformed) << x;
}

} // namespace
} // namespace troupe
