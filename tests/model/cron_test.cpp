#include <string>

#include <gtest/gtest.h>

#include "actors/model/cron.hpp"

namespace troupe {
namespace {

using namespace std::chrono;

std::string why_not(const std::string& text) {
  auto result = parse_cron(text);
  return result ? "it was read" : result.reason();
}

void expect_refused(const std::string& text, const std::string& why) {
  EXPECT_NE(why_not(text).find(why), std::string::npos)
    << text << ": " << why_not(text);
}

TEST(cron, has_six_fields_or_five) {
  for (auto x : {"", "*", "* * * *", "* * * * ? * *"})
    expect_refused(x, "cron has 6 fields");
  EXPECT_TRUE(parse_cron("\t* *  * * ? *  "));
  EXPECT_TRUE(parse_cron("* * * * *"));
}

TEST(cron, says_which_field_is_wrong) {
  expect_refused("60 * * * ? *", "minutes '60': not one of 0-59");
  expect_refused("* 24 * * ? *", "hours '24': not one of 0-23");
  expect_refused("* * 0 * ? *", "day-of-month '0': not one of 1-31");
  expect_refused("* * 32 * ? *", "day-of-month '32': not one of 1-31");
  expect_refused("* * * 13 ? *", "month '13': not one of 1-12, nor a name");
  expect_refused("* * * JANUARY ? *", "month 'JANUARY'");
  expect_refused("* * ? * 0 *", "day-of-week '0': not one of 1-7");
  expect_refused("* * ? * 8 *", "day-of-week '8'");
  expect_refused("* * * * 8", "day-of-week '8': not one of 0-7");
  expect_refused("* * * * ? 1969", "year '1969': not one of 1970-2199");
  expect_refused("* * * * ? 2200", "year '2200'");
}

TEST(cron, refuses_what_is_no_number) {
  for (auto x : {"x", "-5", "+5", "1.5", "5-", "1-2-3", "1,", ",1", "1,,2",
                 "5 ", "*5", "**", "0x5", "?", "L", "W", "1W", "99999999999"})
    EXPECT_FALSE(parse_cron(std::string{x} + " * * ? *")) << x;
  for (auto x : {"x", "-5", "5-", "1,", ",1", "**", "W", "LW5", "L-", "L-31",
                 "L-0", "32W", "0W", "W1", "1WW", "1L", "1#1", "28-3", "MON"})
    EXPECT_FALSE(parse_cron("* * " + std::string{x} + " * ? *")) << x;
  for (auto x : {"1#0", "1#6", "#1", "1#", "MON#L", "8L", "LL", "1W", "MONDAY",
                 "0#1", "1-5L", "MON-FRI#1"})
    EXPECT_FALSE(parse_cron("* * ? * " + std::string{x} + " *")) << x;
}

TEST(cron, refuses_steps_that_lead_nowhere) {
  for (auto x : {"*/0", "*/", "*/61", "*/-1", "*/x", "1/2/3", "/5"})
    EXPECT_FALSE(parse_cron(std::string{x} + " * * * ? *")) << x;
  expect_refused("*/61 * * * ? *", "a step is a number from 1 to 60");
}

TEST(cron, wants_one_question_mark_among_six_fields) {
  for (auto x : {"0 0 * * * *", "0 0 ? * ? *", "0 0 1 * MON *", "0 0 * * MON *",
                 "0 0 1 * * *"})
    expect_refused(x, "exactly one of day-of-month and day-of-week must be ?");
}

TEST(cron, does_not_mix_the_two_ways_of_writing) {
  for (auto x : {"0 0 ? * MON", "0 0 L * *", "0 0 1W * *", "0 0 * * 5L",
                 "0 0 * * 1#2", "0 0 * * L"})
    EXPECT_FALSE(parse_cron(x)) << x;
  expect_refused("5/10 * * * *", "a step comes after * or a range");
  EXPECT_TRUE(parse_cron("5/10 * * * ? *"));
}

TEST(cron, refuses_what_never_comes_true) {
  for (auto x : {"0 0 30 2 ? *", "0 0 31 2,4,6,9,11 ? *", "0 0 29 2 ? 2027",
                 "0 0 29 2 ? 2100", "0 0 L-30 2 ? *", "0 0 30W 2 ? *",
                 "0 0 ? 2 MON#5 2026", "0 0 30 2 *"})
    expect_refused(x, "never comes true up to 2199");
  // In a crontab a day of either field is meant.
  EXPECT_TRUE(parse_cron("0 0 30 2 1"));
}

TEST(cron, goes_by_the_hour_unless_it_names_hours) {
  for (auto x :
       {"*", "*/2", "0/2", "3/5", "1,4/6", "0-23", "0-11,12-23", "22-21"})
    EXPECT_TRUE(parse_cron("0 " + std::string{x} + " * * ? *")->hourly()) << x;
  for (auto x : {"2", "1,2,3", "0-22", "8-18/2", "22-4"})
    EXPECT_FALSE(parse_cron("0 " + std::string{x} + " * * ? *")->hourly()) << x;
}

TEST(cron, a_minute_follows_itself_and_seconds_round_up) {
  auto cron = parse_cron("30 6 * * ? *");
  auto time = local_days{2026y / 5 / 1} + 6h + 30min;
  EXPECT_EQ(cron->next(time), time);
  EXPECT_EQ(cron->next(time - 59s), time);
  EXPECT_EQ(cron->next(time + 1s), time + 24h);
}

TEST(cron, searches_from_its_first_year_to_its_last) {
  auto cron = parse_cron("0 0 1 1 ? *");
  EXPECT_EQ(cron->next(local_days{1900y / 1 / 1}), local_days{1970y / 1 / 1});
  EXPECT_EQ(cron->next(local_days{2199y / 1 / 1}), local_days{2199y / 1 / 1});
  EXPECT_EQ(cron->next(local_days{2199y / 1 / 2}), std::nullopt);
  EXPECT_EQ(cron->next(local_days{2300y / 1 / 1}), std::nullopt);
}

} // namespace
} // namespace troupe
