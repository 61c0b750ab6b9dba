#include "actors/core/work_policy.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr work_time accepted{milliseconds{1'000'000}};

class work_policies : public ::testing::Test {
protected:
  work_verdict judge(const error& reason, uint32_t attempt,
                     milliseconds age = 0ms) {
    return troupe::judge(policy, reason, attempt, policy.attempts_max, accepted,
                         accepted + policy.age_max, accepted + age, random);
  }

  work_policy policy;
  std::mt19937_64 random{1};
};

const auto thrown = error::from_handler("std::runtime_error", "no");
const error full{errc::too_many_requests, "full"};

TEST_F(work_policies, try_again_what_failed_until_its_attempts_are_used_up) {
  EXPECT_TRUE(judge(thrown, 1).again);
  EXPECT_FALSE(judge(thrown, 1).uncounted);
  EXPECT_TRUE(judge(thrown, 2).again);
  EXPECT_EQ(judge(thrown, 3), work_verdict{});
}

TEST_F(work_policies, wait_longer_after_each_attempt) {
  policy.attempts_max = 20;
  auto longest = [&](uint32_t attempt) {
    auto result = 0ms;
    for (int i = 0; i < 1000; ++i)
      result = std::max(result, *judge(thrown, attempt).again - accepted);
    return result;
  };
  EXPECT_NEAR(double(longest(1).count()), 1000, 50);
  EXPECT_NEAR(double(longest(4).count()), 8000, 400);
  EXPECT_NEAR(double(longest(15).count()), 300'000, 15'000);
}

TEST_F(work_policies, do_not_count_what_did_not_begin) {
  auto verdict = judge(full, 3);
  EXPECT_TRUE(verdict.again);
  EXPECT_TRUE(verdict.uncounted);
  EXPECT_LE(*verdict.again, accepted + 250ms) << "soon while it is young";
}

TEST_F(work_policies, ask_less_often_for_what_is_old) {
  auto verdict = judge(full, 1, 1h);
  ASSERT_TRUE(verdict.again);
  auto pause = *verdict.again - (accepted + 1h);
  EXPECT_GE(pause, 150s);
  EXPECT_LE(pause, 300s);
}

TEST_F(work_policies, give_up_what_would_begin_too_late) {
  auto verdict = judge(full, 1, policy.age_max);
  EXPECT_FALSE(verdict.again);
  EXPECT_TRUE(verdict.too_old);
}

TEST_F(work_policies, do_not_try_again_what_cannot_become_right) {
  for (auto code : {errc::bad_request, errc::payload_too_large,
                    errc::not_implemented, errc::forbidden})
    EXPECT_EQ(judge({code, "no"}, 1), work_verdict{}) << to_string(code);
}

TEST_F(work_policies, try_again_what_somebody_outside_did_not_take) {
  auto unreachable =
    error::from_handler("receiver_unreachable", "no").with_effect(effect::none);
  EXPECT_TRUE(judge(unreachable, 1).again);
  EXPECT_FALSE(judge(unreachable, 1).uncounted);
  EXPECT_EQ(judge(unreachable, 3), work_verdict{});
}

TEST_F(work_policies, try_again_what_may_have_run) {
  auto verdict = judge({errc::instance_lost, "it died"}, 1);
  EXPECT_TRUE(verdict.again);
  EXPECT_FALSE(verdict.uncounted);
}

TEST_F(work_policies, that_make_no_sense_are_seen) {
  EXPECT_FALSE(policy.validate());
  policy.attempts_max = 0;
  EXPECT_TRUE(policy.validate());
  policy = {};
  policy.pause_max = policy.pause - 1ms;
  EXPECT_TRUE(policy.validate());
  policy = {};
  policy.age_max = 25h;
  EXPECT_TRUE(policy.validate());
}

} // namespace
} // namespace troupe::testing
