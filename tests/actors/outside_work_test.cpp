// Destinations outside: the dispatcher with somebody who is told of events, in
// virtual time.

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/core/work_id.hpp"
#include "actors/model/rfc3339.hpp"
#include "actors/work/dispatcher.hpp"
#include "nodes/store/memory_work.hpp"
#include "tests/support/function_fixture.hpp"

namespace troupe::testing {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Answers as it is told to, and that all is well when it was told nothing.
class canned_sender final : public event_sender {
public:
  std::deque<error> refusals;
  std::vector<outgoing_event> events;
  std::vector<time_point> times;
  std::function<time_point()> clock;

  void send(outgoing_event what,
            std::function<void(expected<payload>)> done) override {
    events.push_back(std::move(what));
    times.push_back(clock());
    if (refusals.empty())
      return done(payload{R"({"status":204})", "application/json"});
    auto next = refusals.front();
    refusals.pop_front();
    done(std::move(next));
  }
};

error is_busy(uint32_t retry_after_s = 0) {
  return error::from_handler("receiver_busy", "503").retry_after(retry_after_s);
}

class outside_work : public function_fixture {
protected:
  outside_work() {
    sender.clock = [this] { return now(); };
    module m;
    m.function("add", [](int a, int b) { return a + b; });
    m.function("fail", [](int) -> int { throw std::runtime_error{"no"}; });
    serve(m);
  }

  void begin(std::map<std::string, work_policy> policies,
             bool has_sender = true) {
    dispatcher_options options;
    options.clock = [this] { return wall(); };
    options.seed = 1;
    options.sender = has_sender ? &sender : nullptr;
    options.policy = [policies](const std::string& lane) {
      auto i = policies.find(lane);
      return i != policies.end() ? i->second : default_policy(lane);
    };
    work.emplace(&queue,
                 work_peers{[] { return "me"; },
                            [] { return std::vector<std::string>{"me"}; }},
                 env, std::move(options));
    parent = own(system().spawn([this](caf::event_based_actor* me) {
      own(work->start(me));
      return caf::behavior{[](int) {}};
    }));
    run();
  }

  void TearDown() override {
    function_fixture::TearDown();
    work.reset();
  }

  work_time wall() const {
    return std::chrono::floor<milliseconds>(work_time{1'700'000'000s}
                                            + (now() - clock::time_point{}));
  }

  invocation_id put(const std::string& name, std::string body,
                    std::string key = "k 1") {
    work_request request;
    request.item.id = ids.next(wall());
    request.item.target.name = name;
    request.item.arguments = {std::move(body), "application/json"};
    request.item.routing_key = std::move(key);
    request.item.trace = "t";
    auto id = request.item.id;
    work->accept(std::move(request), [](auto) {});
    run();
    return id;
  }

  /// What is said of the dead letter.
  std::string last_error() {
    std::string result;
    queue.list({}, [&](auto found) {
      for (auto& x : *found)
        result = x.answer.bytes;
    });
    return result;
  }

  /// All that is there, by target: how it stands.
  std::string states(work_state state) {
    std::string result;
    work_selection which;
    which.state = state;
    queue.list(which, [&](auto found) {
      for (auto& x : *found)
        result += to_string(x.target) + " " + std::to_string(x.attempts) + ";";
    });
    return result;
  }

  static work_policy to(const std::string& success,
                        const std::string& failure = {}) {
    work_policy result;
    if (!success.empty())
      result.on_success.push_back(*work_destination::parse(success));
    if (!failure.empty())
      result.on_failure.push_back(*work_destination::parse(failure));
    return result;
  }

  canned_sender sender;
  memory_work_queue queue;
  work_ids ids{1};
  std::optional<dispatcher> work;
  caf::actor parent;
};

const std::string url = "https://example.org/sums/{key}";

TEST_F(outside_work, tells_of_a_result) {
  begin({{"add", to(url)}});
  auto id = put("add", "[2,3]");
  ASSERT_EQ(sender.events.size(), 1u);
  auto& x = sender.events[0];
  EXPECT_EQ(to_string(x.to), "https://example.org/sums/k%201");
  EXPECT_EQ(x.event.id, to_string(id));
  EXPECT_EQ(x.event.source, "/functions/add");
  EXPECT_EQ(x.event.type, "troupe.work.succeeded");
  EXPECT_EQ(x.event.subject, "k 1");
  EXPECT_EQ(x.event.time,
            to_rfc3339(std::chrono::floor<std::chrono::seconds>(wall())));
  EXPECT_EQ(x.event.datacontenttype, "application/json");
  EXPECT_EQ(x.event.data, "5");
  EXPECT_TRUE(x.event.validate());
  EXPECT_EQ(x.trace, "t");
  EXPECT_EQ(work->counts().succeeded, 2u);
}

TEST_F(outside_work, tells_of_a_failure) {
  auto policy = to({}, url);
  policy.attempts_max = 1;
  begin({{"fail", policy}});
  auto id = put("fail", "7");
  ASSERT_EQ(sender.events.size(), 1u);
  auto& x = sender.events[0].event;
  EXPECT_EQ(x.id, to_string(id));
  EXPECT_EQ(x.type, "troupe.work.failed");
  EXPECT_THAT(*x.data, HasSubstr(R"("errorMessage":"no")"));
  EXPECT_THAT(*x.data, HasSubstr(R"("arguments":7)"));
}

TEST_F(outside_work, tells_it_again_until_it_was_heard) {
  begin({{"add", to(url)}});
  for (int i = 0; i < 20; ++i)
    sender.refusals.push_back(is_busy());
  put("add", "[2,3]");
  EXPECT_EQ(sender.events.size(), 1u);
  advance(2h);
  ASSERT_EQ(sender.events.size(), 21u);
  for (auto& x : sender.events)
    EXPECT_EQ(x.event, sender.events[0].event) << "it is the same event";
  EXPECT_EQ(work->counts().succeeded, 2u);
}

TEST_F(outside_work, waits_as_long_as_it_is_asked_to) {
  begin({{"add", to(url)}});
  sender.refusals = {is_busy(90), is_busy(100'000)};
  put("add", "[2,3]");
  advance(3h);
  ASSERT_EQ(sender.events.size(), 3u);
  EXPECT_GE(sender.times[1] - sender.times[0], 90s);
  EXPECT_LT(sender.times[1] - sender.times[0], 92s);
  EXPECT_GE(sender.times[2] - sender.times[1], defaults::work::asked_max);
  EXPECT_LT(sender.times[2] - sender.times[1], defaults::work::asked_max + 3s)
    << "nobody asks for more";
}

TEST_F(outside_work, is_a_dead_letter_once_it_was_refused_for_good) {
  begin({{"add", to(url)}});
  sender.refusals = {error{errc::bad_request, effect::none, "400"}};
  put("add", "[2,3]");
  advance(1h);
  EXPECT_EQ(sender.events.size(), 1u);
  EXPECT_EQ(states(work_state::dead), "https://example.org/sums/k%201 1;");
  work_selection all;
  queue.redrive(all, wall(), wall() + 1h, [](auto) {});
  advance(2s);
  ASSERT_EQ(sender.events.size(), 2u);
  EXPECT_EQ(sender.events[0].event, sender.events[1].event);
}

TEST_F(outside_work, is_a_dead_letter_once_it_is_too_old) {
  begin({{"add", to(url)}});
  for (int i = 0; i < 1000; ++i)
    sender.refusals.push_back(is_busy());
  put("add", "[2,3]");
  advance(7h);
  EXPECT_THAT(states(work_state::dead), HasSubstr("https://example.org/sums/"));
  EXPECT_LT(sender.events.size(), 400u) << "pauses grow";
}

TEST_F(outside_work, is_a_dead_letter_without_the_key_that_it_needs) {
  begin({{"add", to(url)}});
  put("add", "[2,3]", "");
  EXPECT_TRUE(sender.events.empty());
  EXPECT_EQ(states(work_state::dead), "https://example.org/sums/{key} 1;");
  EXPECT_THAT(last_error(), HasSubstr("has no key"));
}

TEST_F(outside_work, says_that_its_age_was_the_end_of_it) {
  begin({{"add", to(url)}});
  for (int i = 0; i < 1000; ++i)
    sender.refusals.push_back(is_busy());
  put("add", "[2,3]");
  advance(7h);
  EXPECT_THAT(last_error(),
              HasSubstr("it would be too old for another attempt"));
}

TEST_F(outside_work, has_destinations_of_its_own) {
  begin({{"add", to(url)},
         {"https://example.org", to({}, "https://other.org/lost")}});
  sender.refusals = {error{errc::bad_request, effect::none, "400"}};
  auto id = put("add", "[2,3]");
  run();
  ASSERT_EQ(sender.events.size(), 2u);
  auto& x = sender.events[1];
  EXPECT_EQ(to_string(x.to), "https://other.org/lost");
  EXPECT_EQ(x.event.source, "https://example.org/sums/k%201");
  EXPECT_NE(x.event.id, to_string(id)) << "it is another event";
  EXPECT_THAT(*x.event.data, HasSubstr(R"("arguments":5)"));
}

TEST_F(outside_work, tells_of_what_nobody_could_begin) {
  begin({{"never", to({}, url)}});
  auto id = put("never", "1");
  advance(6h - 1min);
  EXPECT_TRUE(sender.events.empty());
  advance(2min);
  ASSERT_EQ(sender.events.size(), 1u);
  auto& x = sender.events[0].event;
  EXPECT_EQ(x.id, to_string(id));
  EXPECT_EQ(x.type, "troupe.work.failed");
  EXPECT_THAT(*x.data, HasSubstr(R"("attempts":0)"));
  EXPECT_THAT(*x.data, HasSubstr(R"("errorType":"deadline_exceeded")"));
  EXPECT_THAT(*x.data, HasSubstr(R"("arguments":1)"));
  EXPECT_EQ(work->counts().expired, 1u);
  EXPECT_EQ(work->counts().failed, 1u);
  EXPECT_EQ(work->running(), 0u);
}

TEST_F(outside_work, tells_of_what_took_every_node_along_with_it) {
  begin({{"add", to({}, url)}});
  work_request last;
  last.item.id = ids.next(wall());
  last.item.target.name = "add";
  last.item.routing_key = "k 1";
  last.item.arguments = {"[2,3]", "application/json"};
  last.item.accepted = last.item.due = wall();
  last.item.expires = wall() + 6h;
  last.item.attempts_max = 1;
  last.claimed_by = "gone";
  auto id = last.item.id;
  queue.accept(std::move(last), [](auto) {});
  advance(20s);
  ASSERT_EQ(sender.events.size(), 1u);
  auto& x = sender.events[0].event;
  EXPECT_EQ(x.id, to_string(id));
  EXPECT_THAT(*x.data, HasSubstr(R"("attempts":1)"));
  EXPECT_THAT(*x.data, HasSubstr(R"("errorType":"instance_lost")"));
  EXPECT_EQ(work->running(), 0u);
}

TEST_F(outside_work, waits_for_a_node_that_tells_others) {
  begin({{"add", to(url)}}, false);
  put("add", "[2,3]");
  advance(1min);
  EXPECT_EQ(states(work_state::waiting), "https://example.org/sums/k%201 0;");
}

TEST_F(outside_work, is_not_made_by_calls) {
  begin({});
  put("https://example.org", "1");
  EXPECT_EQ(states(work_state::dead), "https://example.org/ 1;")
    << "it has no event";
  EXPECT_TRUE(sender.events.empty());
}

} // namespace
} // namespace troupe::testing
