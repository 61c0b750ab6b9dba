#include <cstdlib>

#include <gtest/gtest.h>

#include "actors/model/time_zone.hpp"
#include "nodes/time_zones.hpp"
#include "tests/support/calendar_text.hpp"

namespace troupe {
namespace {

using namespace std::chrono;

std::string moment_in(const char* zone, local_seconds x) {
  auto loaded = load_time_zone(zone);
  return loaded ? shown(**loaded, moment_of(**loaded, x)) : loaded.reason();
}

TEST(time_zone, utc_is_there_without_a_database) {
  auto zone = utc_zone();
  EXPECT_EQ(zone->name(), "UTC");
  EXPECT_EQ(moment_of(*zone, local_days{2026y / 3 / 29} + 2h),
            sys_days{2026y / 3 / 29} + 2h);
}

TEST(time_zone, a_period_lasts_from_one_setting_of_clocks_to_the_next) {
  auto zone = load_time_zone("Europe/Berlin");
  ASSERT_TRUE(zone) << zone.reason();
  sys_seconds forward = sys_days{2026y / 3 / 29} + 1h;
  sys_seconds back = sys_days{2026y / 10 / 25} + 1h;
  for (auto x : {forward, forward + 1s, back - 1s}) {
    auto period = (*zone)->period_at(x);
    EXPECT_EQ(period.begin, forward);
    EXPECT_EQ(period.end, back);
    EXPECT_EQ(period.offset, 2h);
  }
  EXPECT_EQ((*zone)->period_at(forward - 1s).end, forward);
  EXPECT_EQ((*zone)->period_at(back).begin, back);
  EXPECT_EQ((*zone)->period_at(back).offset, 1h);
}

TEST(time_zone, periods_go_on_after_the_last_one_that_the_database_lists) {
  auto zone = load_time_zone("Europe/Berlin");
  ASSERT_TRUE(zone) << zone.reason();
  EXPECT_EQ((*zone)->period_at(sys_days{2150y / 7 / 1}).offset, 2h);
  EXPECT_EQ((*zone)->period_at(sys_days{2150y / 12 / 1}).offset, 1h);
}

TEST(time_zone, a_local_time_that_is_skipped_is_the_first_moment_after_it) {
  EXPECT_EQ(moment_in("Europe/Berlin", local_days{2026y / 3 / 29} + 2h + 30min),
            "2026-03-29T03:00+02:00");
  EXPECT_EQ(
    moment_in("Australia/Lord_Howe", local_days{2026y / 10 / 4} + 2h + 1s),
    "2026-10-04T02:30+11:00");
  EXPECT_EQ(moment_in("Pacific/Apia", local_days{2011y / 12 / 30} + 12h),
            "2011-12-31T00:00+14:00");
}

TEST(time_zone, a_local_time_that_comes_twice_is_the_first_one) {
  EXPECT_EQ(
    moment_in("Europe/Berlin", local_days{2026y / 10 / 25} + 2h + 30min),
    "2026-10-25T02:30+02:00");
  EXPECT_EQ(moment_in("Europe/Berlin", local_days{2026y / 10 / 25} + 3h),
            "2026-10-25T03:00+01:00");
  EXPECT_EQ(
    moment_in("America/New_York", local_days{2026y / 11 / 1} + 1h + 59min),
    "2026-11-01T01:59-04:00");
}

TEST(time_zone, what_is_no_name_of_a_zone_is_said_so) {
  for (auto name :
       {"", "/etc/hostname", "../zoneinfo/Europe/Berlin", "localtime",
        "Europe/", "Europe Berlin", "Fixed/UTC+01:00:00"}) {
    auto zone = load_time_zone(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_NE(zone.reason().find("is no name of a time zone"),
              std::string::npos)
      << zone.reason();
  }
}

TEST(time_zone, one_that_the_database_does_not_have_is_said_so) {
  auto zone = load_time_zone("Europe/Atlantis");
  ASSERT_FALSE(zone);
  EXPECT_EQ(zone.reason(), "there is no time zone 'Europe/Atlantis'");
}

// In a process of its own: cctz keeps what it has read.
TEST(time_zone_death, a_machine_without_a_database_is_said_so) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto without_database = [] {
    setenv("TZDIR", "/nonexistent", 1);
    auto zone = load_time_zone("Europe/Berlin");
    std::fputs(zone ? "found" : zone.reason().c_str(), stderr);
    std::exit(load_time_zone("UTC") ? 0 : 1);
  };
  EXPECT_EXIT(without_database(), testing::ExitedWithCode(0),
              "there is no time zone database");
}

} // namespace
} // namespace troupe
