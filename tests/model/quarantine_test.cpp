#include "actors/model/quarantine.hpp"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using time_point = quarantine::time_point;
using verdict = quarantine::verdict;
using state = quarantine::state;

constexpr time_point start = time_point{} + 1h;

quarantine_options options() {
  quarantine_options result;
  result.intensity = 2;
  result.period = 10s;
  result.cool_down = 1s;
  result.cool_down_max = 5s;
  result.probe_limit = 3s;
  return result;
}

/// One that was closed at `start`; its first probe is due a second later.
quarantine quarantined() {
  quarantine result{options()};
  for (auto i = 0; i < 3; ++i)
    result.record_crash(start);
  return result;
}

TEST(quarantine, lets_everybody_in_while_crashes_are_few) {
  quarantine door{options()};
  EXPECT_EQ(door.admit(start), verdict::admit);
  door.record_crash(start);
  door.record_crash(start);
  EXPECT_EQ(door.admit(start), verdict::admit);
  EXPECT_EQ(door.current(), state::closed);
  EXPECT_EQ(door.retry_after(start), 0s);
}

TEST(quarantine, refuses_when_crashes_pass_the_intensity) {
  auto door = quarantined();
  EXPECT_EQ(door.current(), state::quarantined);
  EXPECT_EQ(door.admit(start), verdict::refuse);
  EXPECT_EQ(door.retry_after(start), 1s);
  EXPECT_EQ(door.admit(start + 999ms), verdict::refuse);
  EXPECT_EQ(door.retry_after(start + 999ms), 1ms);
}

TEST(quarantine, does_not_count_crashes_that_are_far_apart) {
  quarantine door{options()};
  for (auto i = 0; i < 20; ++i)
    door.record_crash(start + i * 6s);
  EXPECT_EQ(door.current(), state::closed);
}

TEST(quarantine, lets_one_probe_in_after_the_cool_down) {
  auto door = quarantined();
  EXPECT_EQ(door.admit(start + 1s), verdict::probe);
  EXPECT_EQ(door.current(), state::probing);
  EXPECT_EQ(door.admit(start + 1s), verdict::refuse);
  EXPECT_EQ(door.admit(start + 2s), verdict::refuse);
}

TEST(quarantine, reopens_when_the_probe_succeeds) {
  auto door = quarantined();
  ASSERT_EQ(door.admit(start + 1s), verdict::probe);
  door.record_success(start + 2s);
  EXPECT_EQ(door.current(), state::closed);
  EXPECT_EQ(door.admit(start + 2s), verdict::admit);
  // and has forgotten the crashes before
  door.record_crash(start + 2s);
  door.record_crash(start + 2s);
  EXPECT_EQ(door.current(), state::closed);
}

TEST(quarantine, doubles_the_cool_down_with_each_failed_probe_up_to_the_cap) {
  auto door = quarantined();
  auto now = start + 1s;
  for (auto expected : {2s, 4s, 5s, 5s}) {
    ASSERT_EQ(door.admit(now), verdict::probe);
    door.record_crash(now);
    EXPECT_EQ(door.current(), state::quarantined);
    EXPECT_EQ(door.retry_after(now), expected);
    EXPECT_EQ(door.admit(now + expected - 1ns), verdict::refuse);
    now += expected;
  }
}

TEST(quarantine, is_neither_prolonged_nor_opened_by_what_was_still_running) {
  auto door = quarantined();
  door.record_crash(start + 500ms);
  EXPECT_EQ(door.retry_after(start + 500ms), 500ms);
  door.record_success(start + 500ms);
  EXPECT_EQ(door.current(), state::quarantined);
}

TEST(quarantine, lets_the_next_one_probe_when_a_probe_proved_nothing) {
  auto door = quarantined();
  ASSERT_EQ(door.admit(start + 1s), verdict::probe);
  door.record_inconclusive(start + 2s);
  EXPECT_EQ(door.current(), state::quarantined);
  EXPECT_EQ(door.admit(start + 2s), verdict::probe);
}

TEST(quarantine, takes_a_probe_that_never_reports_for_lost) {
  auto door = quarantined();
  ASSERT_EQ(door.admit(start + 1s), verdict::probe);
  EXPECT_EQ(door.admit(start + 4s - 1ns), verdict::refuse);
  EXPECT_EQ(door.admit(start + 4s), verdict::probe);
}

TEST(quarantine, starts_from_the_longer_cool_down_if_it_falls_over_at_once) {
  auto door = quarantined();
  ASSERT_EQ(door.admit(start + 1s), verdict::probe);
  door.record_success(start + 1s);
  for (auto i = 0; i < 3; ++i)
    door.record_crash(start + 1500ms);
  EXPECT_EQ(door.retry_after(start + 1500ms), 2s);
}

TEST(quarantine, starts_from_the_first_cool_down_once_it_held) {
  auto door = quarantined();
  ASSERT_EQ(door.admit(start + 1s), verdict::probe);
  door.record_crash(start + 1s);
  ASSERT_EQ(door.admit(start + 3s), verdict::probe);
  door.record_success(start + 3s);
  for (auto i = 0; i < 3; ++i)
    door.record_crash(start + 5s);
  EXPECT_EQ(door.retry_after(start + 5s), 1s);
}

TEST(quarantine, names_its_states_as_the_tree_does) {
  EXPECT_STREQ(to_string(state::closed), "up");
  EXPECT_STREQ(to_string(state::quarantined), "quarantined");
  EXPECT_STREQ(to_string(state::probing), "probing");
}

TEST(quarantine, refuses_options_that_make_no_sense) {
  EXPECT_FALSE(options().validate());
  auto with = [](auto change) {
    auto result = options();
    change(result);
    return result.validate().has_value();
  };
  EXPECT_TRUE(with([](auto& x) { x.period = 0s; }));
  EXPECT_TRUE(with([](auto& x) { x.cool_down = 0s; }));
  EXPECT_TRUE(with([](auto& x) { x.cool_down_max = 999ms; }));
  EXPECT_TRUE(with([](auto& x) { x.probe_limit = 0s; }));
}

class quarantine_property : public ::testing::TestWithParam<unsigned> {};

// Whatever happens: never two probes at once (unless one was lost), nobody is
// let in before the cool-down, and it is never longer than the cap.
TEST_P(quarantine_property, holds_its_promises_under_random_events) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::mt19937_64 random{GetParam()};
  auto draw = [&](int high) {
    return std::uniform_int_distribution<int>{0, high}(random);
  };
  quarantine door{options()};
  auto now = start;
  auto due = start;
  auto probe_since = start;
  auto was = state::closed;
  auto probes = 0;
  for (auto i = 0; i < 5000; ++i) {
    now += std::chrono::milliseconds{draw(600)};
    switch (draw(5)) {
    case 0:
    case 1:
      door.record_crash(now);
      break;
    case 2:
      door.record_success(now);
      break;
    case 3:
      if (draw(3) == 0)
        door.record_inconclusive(now);
      break;
    default: {
      auto answer = door.admit(now);
      ASSERT_EQ(answer == verdict::admit, was == state::closed);
      if (answer == verdict::probe) {
        // not before the cool-down, and not beside a probe that lives
        ASSERT_GE(now, was == state::quarantined ? due : probe_since + 3s);
        ++probes;
        probe_since = now;
      }
      break;
    }
    }
    ASSERT_LE(door.retry_after(now), 5s);
    if (door.current() == state::quarantined)
      due = door.until();
    was = door.current();
  }
  EXPECT_GT(probes, 10);
}

INSTANTIATE_TEST_SUITE_P(seeds, quarantine_property, ::testing::Range(1u, 21u));

} // namespace
} // namespace troupe
