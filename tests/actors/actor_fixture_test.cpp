// The fixture that all tests of actors lean on, tested itself: time moves from
// timer to timer, transcripts see what they should, and orphans are found.

#include <gtest/gtest-spi.h>

#include "tests/support/actor_fixture.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

class actor_fixture_test : public ::testing::Test, public actor_fixture {};

/// Adds what it is sent, and answers the sum.
caf::behavior adder(caf::event_based_actor*) {
  auto sum = std::make_shared<int>(0);
  return {[=](int x) { return *sum += x; }};
}

/// Sends its number to `to` every second.
caf::behavior ticker(caf::event_based_actor* self, caf::actor to) {
  self->delayed_send(self, 1s, std::string{"tick"});
  return {
    [=](const std::string&) {
      self->send(to, 1);
      self->delayed_send(self, 1s, std::string{"tick"});
    },
    [](int) { /* the sum, which nobody asked for */ },
  };
}

TEST_F(actor_fixture_test, answers_a_request) {
  auto sum = own(system().spawn(adder));
  EXPECT_EQ(request<int>(sum, 2), 2);
  EXPECT_EQ(request<int>(sum, 3), 5);
}

TEST_F(actor_fixture_test, hands_back_the_error_of_a_request) {
  auto sum = own(system().spawn(adder));
  auto wrong = request<int>(sum, std::string{"two"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error(), caf::sec::unexpected_message);
}

TEST_F(actor_fixture_test, does_not_wait_for_an_answer_that_needs_time) {
  auto slow = own(system().spawn([](caf::event_based_actor* self) {
    return caf::behavior{[=](int) {
      auto promise = self->make_response_promise<int>();
      self->delayed_anon_send(self, 1s, caf::make_message(std::string{"go"}));
      return promise;
    }};
  }));
  auto result = request<int>(slow, 1);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), caf::sec::request_timeout);
}

TEST_F(actor_fixture_test, fires_timers_in_order_while_time_advances) {
  auto sum = own(system().spawn(adder));
  own(system().spawn(ticker, sum));
  auto before = now();
  advance(10s);
  EXPECT_EQ(now() - before, 10s);
  EXPECT_EQ(request<int>(sum, 0), 10);
  advance(999ms);
  EXPECT_EQ(request<int>(sum, 0), 10);
  advance(1ms);
  EXPECT_EQ(request<int>(sum, 0), 11);
  EXPECT_TRUE(has_timer());
}

TEST_F(actor_fixture_test, delivers_one_message_at_a_time_in_a_transcript) {
  auto sum = own(system().spawn(adder));
  deliver(sum);
  expect_nothing(sum);
  caf::anon_send(sum, 4);
  caf::anon_send(sum, 5);
  disallow<std::string>(sum);
  auto [first] = expect<int>(sum);
  EXPECT_EQ(first, 4);
  auto [second] = expect<int>(sum);
  EXPECT_EQ(second, 5);
  expect_nothing(sum);
}

TEST_F(actor_fixture_test, knows_who_sent_a_message) {
  auto sum = own(system().spawn(adder));
  auto tick = own(system().spawn(ticker, sum));
  deliver(sum);
  deliver(tick);
  caf::anon_send(tick, std::string{"now"});
  expect<std::string>(tick);
  EXPECT_THROW((expect_from<int>(sum, sum)), std::runtime_error);
  auto [sent] = expect_from<int>(tick, sum);
  EXPECT_EQ(sent, 1);
}

TEST_F(actor_fixture_test, fails_a_transcript_that_differs) {
  auto sum = own(system().spawn(adder));
  deliver(sum);
  EXPECT_THROW(expect<int>(sum), std::runtime_error);
  caf::anon_send(sum, 4);
  EXPECT_THROW(expect<std::string>(sum), std::runtime_error);
  EXPECT_NONFATAL_FAILURE(disallow<int>(sum), "4");
  EXPECT_NONFATAL_FAILURE(expect_nothing(sum), "4");
}

TEST_F(actor_fixture_test, knows_why_an_actor_ended) {
  auto sum = own(system().spawn(adder));
  EXPECT_FALSE(ended(sum));
  caf::anon_send_exit(sum, caf::exit_reason::user_shutdown);
  run();
  EXPECT_EQ(*ended(sum), caf::exit_reason::user_shutdown);
}

TEST_F(actor_fixture_test, stops_a_run_that_never_ends) {
  auto loop = own(system().spawn([](caf::event_based_actor* self) {
    self->send(self, 1);
    return caf::behavior{[=](int x) { self->send(self, x); }};
  }));
  EXPECT_THROW(run(), std::runtime_error);
  caf::anon_send_exit(loop, caf::exit_reason::kill);
}

TEST_F(actor_fixture_test, takes_message_types_and_options_before_the_start) {
  actor_fixture other{[](caf::actor_system_config& config) {
    config.set("scheduler.max-throughput", 17);
  }};
  auto x = caf::get_or(other.system().config(), "scheduler.max-throughput", 0);
  EXPECT_EQ(x, 17);
}

TEST_F(actor_fixture_test, fails_a_test_that_leaves_an_actor_alive) {
  auto orphan = system().spawn(adder);
  EXPECT_NONFATAL_FAILURE(stop_all(), "actors are alive");
  own(orphan);
}

} // namespace
} // namespace troupe
