#include "actors/model/close_name.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(close_name, counts_edits) {
  EXPECT_EQ(edits_between("", ""), 0u);
  EXPECT_EQ(edits_between("", "abc"), 3u);
  EXPECT_EQ(edits_between("abc", ""), 3u);
  EXPECT_EQ(edits_between("kitten", "sitting"), 3u);
  EXPECT_EQ(edits_between("sitting", "kitten"), 3u);
  EXPECT_EQ(edits_between("same", "same"), 0u);
}

TEST(close_name, is_the_closest_one) {
  const std::vector<std::string> names{"count", "counter/", "echo"};
  EXPECT_EQ(close_name("counter", names), "counter/");
  EXPECT_EQ(close_name("cuonter/", names), "counter/");
  EXPECT_EQ(close_name("coun", names), "count");
  EXPECT_EQ(close_name("ech", names), "echo");
}

TEST(close_name, is_none_that_is_another_name) {
  const std::vector<std::string> names{"add", "echo", "counter/"};
  EXPECT_EQ(close_name("sleep", names), "");
  EXPECT_EQ(close_name("ab", names), "") << "everything is close to so few";
  EXPECT_EQ(close_name("", names), "");
  EXPECT_EQ(close_name("echo", names), "") << "it is itself";
  EXPECT_EQ(close_name(std::string(1000, 'x'), names), "");
}

} // namespace
} // namespace troupe
