#include "actors/model/fingerprint.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(fingerprint, is_the_same_for_the_same_parts) {
  EXPECT_EQ(fingerprint({"increment", "5"}), fingerprint({"increment", "5"}));
  EXPECT_EQ(fingerprint({"increment", "5"}).size(), 16u);
}

TEST(fingerprint, differs_when_a_part_differs) {
  EXPECT_NE(fingerprint({"increment", "5"}), fingerprint({"increment", "6"}));
  EXPECT_NE(fingerprint({"increment", "5"}), fingerprint({"decrement", "5"}));
  EXPECT_NE(fingerprint({"increment", ""}), fingerprint({"increment"}));
}

TEST(fingerprint, differs_when_the_same_bytes_are_divided_otherwise) {
  EXPECT_NE(fingerprint({"ab", "c"}), fingerprint({"a", "bc"}));
  EXPECT_NE(fingerprint({"abc", ""}), fingerprint({"", "abc"}));
}

} // namespace
} // namespace troupe
