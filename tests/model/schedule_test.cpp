#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "actors/model/schedule.hpp"
#include "nodes/time_zones.hpp"
#include "tests/support/calendar_text.hpp"

namespace troupe {
namespace {

using namespace std::chrono;

constexpr sys_seconds start = sys_days{2026y / 1 / 1} + 7s;

schedule read(const std::string& text, const char* zone = "UTC") {
  auto loaded = load_time_zone(zone);
  EXPECT_TRUE(loaded) << loaded.reason();
  auto result = parse_schedule(text, {*loaded, start});
  if (!result)
    throw std::invalid_argument{text + ": " + result.reason()};
  return *result;
}

std::string why_not(const std::string& text) {
  auto result = parse_schedule(text);
  return result ? "it was read" : result.reason();
}

// -- rate --------------------------------------------------------------------

TEST(schedule, a_rate_counts_from_its_start) {
  auto rate = read("rate(5 minutes)");
  EXPECT_EQ(rate.next_after(start - 24h), start + 5min);
  EXPECT_EQ(rate.next_after(start - 1s), start + 5min);
  EXPECT_EQ(rate.next_after(start), start + 5min);
  EXPECT_EQ(rate.next_after(start + 5min - 1s), start + 5min);
  EXPECT_EQ(rate.next_after(start + 5min), start + 10min);
  EXPECT_EQ(rate.next_after(start + 7min), start + 10min);
}

TEST(schedule, a_rate_has_four_units_singular_and_plural) {
  EXPECT_EQ(read("rate(1 second)").next_after(start), start + 1s);
  EXPECT_EQ(read("rate(30 seconds)").next_after(start), start + 30s);
  EXPECT_EQ(read("rate(1 minute)").next_after(start), start + 1min);
  EXPECT_EQ(read("rate(1 hour)").next_after(start), start + 1h);
  EXPECT_EQ(read("rate( 12  hours )").next_after(start), start + 12h);
  EXPECT_EQ(read("rate(1 day)").next_after(start), start + 24h);
  EXPECT_EQ(read("  rate(7 days)  ").next_after(start), start + days{7});
  EXPECT_EQ(read("rate(3660 days)").next_after(start), start + days{3660});
}

TEST(schedule, a_rate_of_days_does_not_mind_that_clocks_are_set) {
  auto rate = read("rate(1 day)", "Europe/Berlin");
  auto before = start + days{86}; // 2026-03-28
  EXPECT_EQ(rate.next_after(before), before + 24h);
  EXPECT_EQ(rate.next_after(before + 24h), before + 48h);
}

TEST(schedule, what_is_no_rate_is_refused) {
  for (auto x : {"rate()", "rate(5)", "rate(minutes)", "rate(5 weeks)",
                 "rate(-5 minutes)", "rate(+5 minutes)", "rate(1.5 hours)",
                 "rate(5 minutes x)", "rate(99999999999999999999 days)",
                 "rate(5 Minutes)"})
    EXPECT_NE(why_not(x).find("rate is a number and"), std::string::npos)
      << x << ": " << why_not(x);
  for (auto x : {"rate(0 minutes)", "rate(3661 days)",
                 "rate(9223372036854775807 days)", "rate(316224001 seconds)"})
    EXPECT_NE(why_not(x).find("from 1 second to 3660 days"), std::string::npos)
      << x << ": " << why_not(x);
}

// -- at ----------------------------------------------------------------------

TEST(schedule, at_fires_once) {
  auto at = read("at(2026-03-29T02:30:07)");
  auto time = sys_days{2026y / 3 / 29} + 2h + 30min + 7s;
  EXPECT_EQ(at.next_after(start), time);
  EXPECT_EQ(at.next_after(time - 1s), time);
  EXPECT_EQ(at.next_after(time), std::nullopt);
}

TEST(schedule, at_means_the_time_of_its_zone) {
  EXPECT_EQ(read("at(2026-03-29T02:30:00)", "Europe/Berlin").next_after(start),
            moment("2026-03-29T03:00+02:00"));
  EXPECT_EQ(read("at(2026-10-25T02:30:00)", "Europe/Berlin").next_after(start),
            moment("2026-10-25T02:30+02:00"));
  EXPECT_EQ(read("at(2026-06-01T12:00:00)", "Asia/Kolkata").next_after(start),
            moment("2026-06-01T12:00+05:30"));
}

TEST(schedule, what_is_no_time_is_refused) {
  for (auto x : {"at()", "at(2026-03-29)", "at(2026-03-29T02:30)",
                 "at(2026-03-29 02:30:00)", "at(2026-03-29T02:30:00Z)",
                 "at(2026-02-29T00:00:00)", "at(2026-13-01T00:00:00)",
                 "at(2026-04-31T00:00:00)", "at(2026-04-00T00:00:00)",
                 "at(2026-04-01T24:00:00)", "at(2026-04-01T00:60:00)",
                 "at(2026-04-01T00:00:60)", "at(1969-12-31T23:59:59)",
                 "at(2200-01-01T00:00:00)", "at(-026-04-01T00:00:00)"})
    EXPECT_NE(why_not(x).find("at is a time like"), std::string::npos)
      << x << ": " << why_not(x);
}

// -- what is read ------------------------------------------------------------

TEST(schedule, only_three_expressions_are_read) {
  for (auto x : {"", "0 8 * * *", "every(5 minutes)", "rate (5 minutes)",
                 "rate(5 minutes", "rate", "cron", "@daily", "CRON(* * * * *)"})
    EXPECT_NE(why_not(x).find("a schedule is rate(...), cron(...) or at(...)"),
              std::string::npos)
      << x << ": " << why_not(x);
  EXPECT_NE(why_not("cron(" + std::string(300, '1') + ")").find("at most 256"),
            std::string::npos);
}

TEST(schedule, what_lacks_its_name_is_asked_for) {
  for (auto x : {"*/5 * * * *", "0 8 ? * MON *"})
    EXPECT_TRUE(
      why_not(x).ends_with("is 'cron(" + std::string{x} + ")' meant?"))
      << why_not(x);
  EXPECT_TRUE(why_not("5 minutes").ends_with("is 'rate(5 minutes)' meant?"));
  EXPECT_TRUE(why_not("2026-03-29T02:30:00")
                .ends_with("is 'at(2026-03-29T02:30:00)' meant?"));
  for (auto x : {"61 * * * *", "weekly", "*/5 * * * *)", ""})
    EXPECT_EQ(why_not(x).find("meant"), std::string::npos) << why_not(x);
}

TEST(schedule, a_cron_after_its_last_year_never_fires) {
  auto cron = read("cron(* * * * ? *)");
  auto end = sys_days{2200y / 1 / 1};
  EXPECT_EQ(cron.next_after(end - 61s), end - 1min);
  EXPECT_EQ(cron.next_after(end - 1min), std::nullopt);
  EXPECT_EQ(cron.next_after(end + days{3660}), std::nullopt);
  EXPECT_EQ(cron.next_after(sys_seconds::max()), std::nullopt);
  EXPECT_EQ(cron.next_after(sys_days{1960y / 1 / 1}), sys_days{1970y / 1 / 1});
  EXPECT_EQ(cron.next_after(sys_seconds::min()), sys_days{1970y / 1 / 1});
  // Its last hours are later in the west, earlier in the east.
  EXPECT_EQ(read("cron(0 23 31 12 ? 2199)", "Pacific/Honolulu").next_after(end),
            end + 9h);
  EXPECT_EQ(read("cron(0 0 1 1 ? 1970)", "Asia/Tokyo")
              .next_after(sys_days{1969y / 12 / 1}),
            sys_days{1969y / 12 / 31} + 15h);
}

// -- what is due -------------------------------------------------------------

TEST(schedule, what_is_due_is_after_the_first_moment_and_not_after_the_last) {
  auto rate = read("rate(1 minute)");
  auto due = rate.due_between(start + 1min, start + 3min, 10);
  EXPECT_EQ(due.times, (std::vector{start + 2min, start + 3min}));
  EXPECT_FALSE(due.more);
  EXPECT_TRUE(rate.due_between(start + 61s, start + 119s, 10).times.empty());
  EXPECT_TRUE(rate.due_between(start + 3min, start + 1min, 10).times.empty());
}

TEST(schedule, no_more_is_due_than_was_asked_for) {
  auto rate = read("rate(1 second)");
  auto due = rate.due_between(start, start + days{365}, 3);
  EXPECT_EQ(due.times, (std::vector{start + 1s, start + 2s, start + 3s}));
  EXPECT_TRUE(due.more);
  EXPECT_FALSE(rate.due_between(start, start + 3s, 3).more);
  EXPECT_TRUE(rate.due_between(start, start + 1s, 0).more);
  EXPECT_TRUE(rate.due_between(start, start + 1s, 0).times.empty());
}

TEST(schedule, the_last_firing_is_found_without_a_walk) {
  auto cron = read("cron(* * * 1 ? *)"); // each minute of each January
  EXPECT_EQ(cron.last_between(start, sys_days{2026y / 12 / 1}),
            sys_days{2026y / 2 / 1} - 1min);
  auto rate = read("rate(1 second)");
  EXPECT_EQ(rate.last_between(start, start + days{3000}), start + days{3000});
  EXPECT_EQ(rate.last_between(start, start + 1s), start + 1s);
  EXPECT_EQ(rate.last_between(start, start), std::nullopt);
  EXPECT_EQ(read("at(2026-02-01T00:00:00)")
              .last_between(sys_days{2026y / 2 / 1}, sys_days{2026y / 3 / 1}),
            std::nullopt);
}

} // namespace
} // namespace troupe
