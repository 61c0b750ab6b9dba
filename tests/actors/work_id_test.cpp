#include "actors/core/work_id.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

using std::chrono::milliseconds;
using time = std::chrono::sys_time<milliseconds>;

constexpr time some_time{milliseconds{0x017F22E279B0}};

TEST(work_ids, are_uuids_of_version_7) {
  work_ids ids{1};
  auto id = ids.next(some_time);
  auto text = to_string(id);
  // The time of RFC 9562's example (A.6).
  EXPECT_EQ(text.substr(0, 13), "017f22e279b07");
  EXPECT_NE(std::string{"89ab"}.find(text[16]), std::string::npos) << text;
}

TEST(work_ids, rise_with_time_and_differ_within_a_millisecond) {
  work_ids ids{7};
  auto before = ids.next(some_time);
  EXPECT_NE(ids.next(some_time), before);
  EXPECT_LT(before, ids.next(some_time + milliseconds{1}));
}

TEST(work_ids, of_one_maker_rise) {
  work_ids ids{5};
  auto last = ids.next(some_time);
  for (int i = 0; i < 10'000; ++i) {
    auto now = some_time + milliseconds{i / 100 - i % 3};
    auto id = ids.next(now);
    ASSERT_LT(last, id) << i;
    last = id;
  }
  EXPECT_LT(last, work_ids{6}.next(some_time + milliseconds{101}));
  // It does not go on from a clock that was wrong.
  EXPECT_LT(ids.next(some_time - milliseconds{5000}),
            work_ids{6}.next(some_time));
}

// Else an id could be guessed from the one before it, and two makers that began
// alike would meet.
TEST(work_ids, differ_by_what_nobody_knows) {
  work_ids one{1};
  work_ids two{2};
  auto before = one.next(some_time).low;
  auto step = one.next(some_time).low - before;
  before = two.next(some_time).low;
  EXPECT_NE(two.next(some_time).low - before, step);
}

TEST(work_ids, are_read_as_they_are_written_and_as_uuids) {
  work_ids ids{3};
  auto id = ids.next(some_time);
  EXPECT_EQ(parse_invocation_id(to_string(id)), id);
  EXPECT_EQ(parse_invocation_id("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
            (invocation_id{0x017F22E279B07CC3, 0x98C4DC0C0C07398F}));
}

TEST(work_ids, that_are_none_are_seen) {
  for (auto text : {"", "1", "017F22E279B07CC398C4DC0C0C07398",
                    "017F22E279B07CC398C4DC0C0C07398g",
                    "017F22E2-79B0-7CC3-98C4-DC0C0C07398",
                    "017F22E2079B0-7CC3-98C4-DC0C0C07398F",
                    "017F22E279B0-7CC3-98C4--DC0C0C07398F",
                    "017F22E279B07CC398C4DC0C0C07398F "})
    EXPECT_FALSE(parse_invocation_id(text)) << text;
}

} // namespace
} // namespace troupe::testing
