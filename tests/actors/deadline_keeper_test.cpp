// Calls end at their deadline, once, whatever else happens to them.

#include <vector>

#include "tests/support/function_fixture.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

using testing::noted_call_ptr;

class deadline_keeper_test : public testing::function_fixture {
public:
  noted_call_ptr add(std::chrono::nanoseconds timeout) {
    auto call = caf::make_counted<testing::noted_call>(payload{});
    call->deadline = now() + timeout;
    deadlines.add(call);
    return call;
  }
};

TEST_F(deadline_keeper_test, ends_a_call_at_its_deadline_and_not_before) {
  auto call = add(1s);
  advance(999ms);
  EXPECT_EQ(call->outcome(), "open");
  advance(deadlines.tick() + 1ms);
  EXPECT_EQ(call->outcome(), "deadline_exceeded/none");
  EXPECT_EQ(call->get_reference_count(), 1u);
}

TEST_F(deadline_keeper_test, says_unknown_when_the_call_had_begun) {
  auto call = add(1s);
  ASSERT_TRUE(call->start());
  advance(2s);
  EXPECT_EQ(call->outcome(), "deadline_exceeded/unknown");
}

TEST_F(deadline_keeper_test, forgets_a_call_that_was_answered) {
  auto call = add(1s);
  call->set_result({"1", {}});
  call->finish(nullptr);
  EXPECT_EQ(deadlines.size(), 0u);
  EXPECT_EQ(call->get_reference_count(), 1u);
  advance(2s);
  EXPECT_EQ(call->outcome(), "1");
}

TEST_F(deadline_keeper_test, forgets_a_call_that_was_given_up) {
  auto call = add(1s);
  EXPECT_EQ(call->abandon(), effect::none);
  EXPECT_EQ(deadlines.size(), 0u);
  EXPECT_EQ(call->get_reference_count(), 1u);
  advance(2s);
  EXPECT_EQ(call->answers, 0);
}

TEST_F(deadline_keeper_test, takes_no_call_that_was_answered_before) {
  auto call = caf::make_counted<testing::noted_call>(payload{});
  call->deadline = now() + 1s;
  call->finish(nullptr);
  deadlines.add(call);
  EXPECT_EQ(deadlines.size(), 0u);
  EXPECT_EQ(call->get_reference_count(), 1u);
}

TEST_F(deadline_keeper_test, drops_an_answer_that_comes_after_the_deadline) {
  auto call = add(1s);
  call->start();
  advance(2s);
  call->fail({errc::lock_held, "late"});
  call->finish(nullptr);
  EXPECT_EQ(call->outcome(), "deadline_exceeded/unknown");
}

TEST_F(deadline_keeper_test, sleeps_while_no_call_waits) {
  auto first = add(100ms);
  advance(1s);
  EXPECT_FALSE(has_timer());
  auto second = add(100ms);
  EXPECT_EQ(first->answers, 1);
  advance(110ms);
  EXPECT_EQ(second->outcome(), "deadline_exceeded/none");
  EXPECT_FALSE(has_timer());
}

TEST_F(deadline_keeper_test, ends_many_calls_in_the_order_of_their_deadlines) {
  std::vector<noted_call_ptr> calls;
  for (int i = 0; i < 500; ++i)
    calls.push_back(add(i * 10ms));
  advance(2505ms); // call 250 is due at 2500 ms, and a tick is 5 ms
  for (int i = 0; i < 500; ++i)
    EXPECT_EQ(calls[i]->answers, i <= 250 ? 1 : 0) << i;
  EXPECT_EQ(deadlines.size(), 249u);
  advance(3s);
  EXPECT_EQ(deadlines.size(), 0u);
}

} // namespace
} // namespace troupe
