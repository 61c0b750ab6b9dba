// An intake with a target that answers when the test says so, a clock that moves
// when the test says so, and a queue that keeps dead letters or does not.

#include "actors/messages/message_intake.hpp"

#include <deque>
#include <gtest/gtest.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include "actors/core/deadline_keeper.hpp"
#include "actors/core/service_definition.hpp"
#include "actors/messages/message_call.hpp"
#include "nodes/subscription_text.hpp"

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// Keeps calls until the test answers them.
class held_calls final : public call_target {
public:
  void submit(invocation_ptr call, lender&) override {
    calls.push_back(std::move(call));
  }

  std::chrono::milliseconds timeout() const noexcept override { return 1h; }

  call_stats stats() const override { return {}; }

  std::string_view kind() const noexcept override { return "service"; }

  std::deque<invocation_ptr> calls;
};

class message_intake_test : public ::testing::Test {
public:
  explicit message_intake_test() {
    auto table = std::make_shared<route_table>();
    table->services["twin"].host = target;
    table->functions["f"].latest = target;
    routes.publish(std::move(table));
  }

  /// An intake of `twin`, or with other fields.
  void declare(const std::string& more = ",identity:json:id") {
    intake_surroundings around;
    around.bury = [this](work_request letter, error why, auto done) {
      if (buries_fail > 0) {
        --buries_fail;
        return done(error{errc::store_unavailable, "away"});
      }
      letters.push_back({std::move(letter), std::move(why)});
      done(work_accepted{letters.back().first.item.id, true});
    };
    around.after = [this](auto time, auto what) {
      timers.emplace(now + time, std::move(what));
    };
    around.clock = [this] { return now; };
    around.seed = 1;
    auto what = parse_subscription("m=broker:mqtt://h,topic:s/{key}/t,"
                                   "attempts:3,pause:1s,pause-max:10s"
                                   + (more.find("function:") == more.npos
                                        ? ",service:twin,method:set" + more
                                        : more));
    intake =
      std::make_shared<message_intake>(system, env, what, std::move(around));
  }

  /// A message; its verdict is found under the number that is returned.
  size_t take(std::string body, const std::string& topic = "s/k/t",
              uint64_t deliveries = 1) {
    verdicts.emplace_back();
    auto number = verdicts.size() - 1;
    incoming_message x{topic, {std::move(body), ""}};
    x.deliveries = deliveries;
    intake->take(std::move(x), [this, number](message_verdict verdict) {
      EXPECT_FALSE(verdicts[number]) << "answered twice";
      verdicts[number] = std::move(verdict);
    });
    return number;
  }

  /// The next call, which has begun.
  invocation_ptr next_call() {
    if (target->calls.empty())
      return nullptr;
    auto result = target->calls.front();
    target->calls.pop_front();
    result->start();
    return result;
  }

  void answer(std::string bytes) {
    auto call = next_call();
    ASSERT_TRUE(call);
    call->set_result({std::move(bytes), ""});
    call->finish(nullptr);
  }

  void fail(error why) {
    auto call = next_call();
    ASSERT_TRUE(call);
    call->finish(std::move(why), nullptr);
  }

  /// What is due within that time is done.
  void advance(std::chrono::milliseconds time) {
    auto until = now + time;
    while (!timers.empty() && timers.begin()->first <= until) {
      now = timers.begin()->first;
      auto what = std::move(timers.begin()->second);
      timers.erase(timers.begin());
      what();
    }
    now = until;
  }

  bool is_open(size_t number) const { return !verdicts[number]; }

  bool is_done(size_t number) const {
    return verdicts[number] && verdicts[number]->fate == message_fate::done;
  }

  caf::actor_system_config config;
  caf::actor_system system{config};
  route_source routes;
  deadline_keeper deadlines{system.clock().now()};
  call_environment env{routes, deadlines, false};
  caf::intrusive_ptr<held_calls> target{new held_calls, false};
  work_time now{1'700'000'000'000ms};
  std::multimap<work_time, std::function<void()>> timers;
  std::deque<std::optional<message_verdict>> verdicts;
  std::deque<std::pair<work_request, error>> letters;
  int buries_fail = 0;
  std::shared_ptr<message_intake> intake;
};

error handler_failure() {
  return error::from_handler("std::runtime_error", "no");
}

error busy() {
  return {errc::too_many_requests, "full"};
}

} // namespace

TEST_F(message_intake_test, a_message_is_done_once_its_call_is_answered) {
  declare();
  auto m = take(R"({"id":"7","v":1})");
  ASSERT_EQ(target->calls.size(), 1u);
  auto& to = *target->calls[0]->entity;
  EXPECT_EQ(to.service, "twin");
  EXPECT_EQ(to.key, "k");
  EXPECT_EQ(to.method, "set");
  EXPECT_EQ(to.idempotency_key, "work message m 7");
  EXPECT_TRUE(is_open(m));
  answer("42");
  EXPECT_TRUE(is_done(m));
  EXPECT_EQ(verdicts[m]->answer->bytes, "42");
}

TEST_F(message_intake_test, calls_begin_in_the_order_of_their_messages) {
  declare(",argument:n");
  for (int i = 0; i < 50; ++i)
    take(R"({"n":)" + std::to_string(i) + "}");
  ASSERT_EQ(target->calls.size(), 50u);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(target->calls[static_cast<size_t>(i)]->copy_arguments().bytes,
              std::to_string(i));
  while (!target->calls.empty())
    answer("1");
}

TEST_F(message_intake_test,
       a_call_that_fails_is_tried_again_then_a_dead_letter) {
  declare();
  auto m = take(R"({"id":"7"})");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(target->calls.size(), 1u) << i;
    EXPECT_TRUE(is_open(m));
    fail(handler_failure());
    advance(10s);
  }
  EXPECT_TRUE(target->calls.empty());
  EXPECT_TRUE(is_done(m));
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].first.item.target,
            (work_target{"twin", "", "k", "set"}));
  EXPECT_EQ(letters[0].first.item.arguments.bytes, R"({"id":"7"})");
  EXPECT_EQ(letters[0].second.type(), "std::runtime_error");
  EXPECT_EQ(intake->counts().dead, 1u);
}

TEST_F(message_intake_test, what_passes_is_no_attempt) {
  declare();
  auto m = take(R"({"id":"7"})");
  for (int i = 0; i < 50; ++i) {
    fail(busy());
    advance(10s);
  }
  EXPECT_TRUE(is_open(m));
  answer("1");
  EXPECT_TRUE(is_done(m));
  EXPECT_TRUE(letters.empty());
}

TEST_F(message_intake_test, what_no_attempt_helps_is_a_dead_letter_at_once) {
  declare();
  for (auto body : {"no JSON", "{}", R"({"id":1.5})", R"({"id":""})", "[1]"}) {
    auto m = take(body);
    EXPECT_TRUE(is_done(m)) << body;
  }
  EXPECT_TRUE(target->calls.empty());
  EXPECT_EQ(letters.size(), 5u);
  EXPECT_EQ(letters[0].second, errc::bad_request);
  auto notes = json::parse(letters[0].first.item.notes);
  EXPECT_EQ(notes["attempts"], 0);
  EXPECT_EQ(notes[unreadable_name]["errorType"], "bad_request");
  take(R"({"id":"7"})");
  fail({errc::bad_request, "does not fit"});
  EXPECT_EQ(letters.size(), 6u);
  notes = json::parse(letters[5].first.item.notes);
  EXPECT_EQ(notes["attempts"], 1);
  EXPECT_FALSE(notes.contains(unreadable_name)) << "it is a call";
  take(R"({"id":"7"})", "s//t"); // an empty key
  EXPECT_EQ(letters.size(), 7u);
}

TEST_F(message_intake_test, a_letter_that_cannot_be_kept_keeps_the_message) {
  declare();
  buries_fail = 1'000'000;
  auto m = take("no JSON");
  advance(10min);
  EXPECT_TRUE(is_open(m));
  EXPECT_TRUE(letters.empty());
  buries_fail = 0;
  advance(5s);
  EXPECT_TRUE(is_done(m));
  EXPECT_EQ(letters.size(), 1u);
}

TEST_F(message_intake_test, who_pauses_gives_back_what_waits_and_what_comes) {
  declare();
  auto waits = take(R"({"id":"1"})");
  fail(handler_failure());
  auto runs = take(R"({"id":"2"})");
  intake->pause();
  ASSERT_FALSE(is_open(waits));
  EXPECT_FALSE(is_done(waits));
  EXPECT_TRUE(is_open(runs));
  answer("1");
  EXPECT_TRUE(is_done(runs));
  auto late = take(R"({"id":"3"})");
  EXPECT_FALSE(is_open(late) || is_done(late));
  advance(1h); // the timer finds nothing
  EXPECT_TRUE(target->calls.empty());
  intake->resume();
  take(R"({"id":"4"})");
  answer("1");
}

TEST_F(message_intake_test, a_message_that_ends_its_process_is_a_dead_letter) {
  declare();
  auto m = take(R"({"id":"1"})", "s/k/t", 1000);
  EXPECT_TRUE(is_done(m));
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].second, errc::instance_lost);
  EXPECT_EQ(json::parse(letters[0].first.item.notes)["deliveries"], 1000);
}

TEST_F(message_intake_test, the_key_of_a_topic_places_the_call_of_a_function) {
  declare(",function:f");
  take("x");
  ASSERT_EQ(target->calls.size(), 1u);
  EXPECT_EQ(target->calls[0]->routing_key, "k");
  EXPECT_FALSE(target->calls[0]->entity);
  answer("1");
}

TEST_F(message_intake_test, a_function_that_is_not_there_yet_is_waited_for) {
  declare(",function:later");
  auto m = take("x");
  EXPECT_TRUE(is_open(m));
  auto table = std::make_shared<route_table>(*routes.load());
  table->functions["later"].latest = target;
  routes.publish(std::move(table));
  advance(10s);
  answer("1");
  EXPECT_TRUE(is_done(m));
}

TEST_F(message_intake_test,
       who_asks_what_is_not_there_is_told_once_and_at_once) {
  declare(",function:later");
  std::vector<error> told;
  incoming_message x{"s/k/t", {"x", ""}};
  x.on_absence = [&](const error& why) { told.push_back(why); };
  std::optional<message_verdict> verdict;
  intake->take(std::move(x), [&](message_verdict y) { verdict = y; });
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0], errc::not_found);
  // It waits as any other, so it may be called.
  EXPECT_EQ(told[0].what_happened(), effect::unknown);
  EXPECT_FALSE(verdict);
  advance(1min);
  EXPECT_GE(intake->counts().retried, 2u);
  EXPECT_EQ(told.size(), 1u);
  EXPECT_FALSE(verdict);
}

TEST(message_call, long_and_strange_identities_have_keys_of_their_own) {
  auto what = parse_subscription("m=broker:mqtt://h,topic:s/{key}/t,"
                                 "service:twin,method:set,identity:json:id");
  auto a = idempotency_key_of(what, std::string(1000, 'a'));
  auto b = idempotency_key_of(what, std::string(1001, 'a'));
  auto c = idempotency_key_of(what, "\xc3\xa4");
  EXPECT_LT(a.size(), 256u);
  EXPECT_NE(a, b);
  EXPECT_NE(a, c);
  EXPECT_TRUE(c.starts_with("work message m xxh3:"));
}

TEST(message_call, the_argument_is_a_part_of_the_body) {
  auto what =
    parse_subscription("m=broker:mqtt://h,topic:s/{key}/t,service:twin,"
                       "method:set,identity:json:meta.id,argument:data.v");
  auto call = read_message(
    what, {"s/k/t", {R"({"meta":{"id":7},"data":{"v":[1,2]}})", ""}});
  ASSERT_TRUE(call);
  EXPECT_EQ(call->arguments.bytes, "[1,2]");
  EXPECT_EQ(call->identity, "7");
}

} // namespace troupe
