// The dispatcher with a queue in memory that fails when a test says so, in
// virtual time.

#include "actors/work/dispatcher.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/core/lender.hpp"
#include "actors/core/work_id.hpp"
#include "actors/work/starter.hpp"
#include "nodes/store/memory_work.hpp"
#include "tests/support/function_fixture.hpp"

namespace troupe::testing {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A thread that this test does not have.
class elsewhere final : public home_thread {
public:
  void post(errands) override { FAIL(); }
};

/// What the next operation of a kind does in place of what it is asked for.
enum class trouble { before, after };

/// Hands everything on, but for what a test wants to go wrong.
class troubled_queue final : public memory_work_queue {
public:
  std::deque<trouble> accepts;
  std::deque<trouble> claims;
  std::deque<trouble> reports;

  using memory_work_queue::accept;
  using memory_work_queue::report;

  void accept(request_ptr request, callback<work_accepted> done) override {
    switch (next(accepts)) {
    case 0:
      return memory_work_queue::accept(std::move(request), std::move(done));
    case 1:
      return done(away(effect::none));
    default:
      memory_work_queue::accept(std::move(request), [](auto&&) {});
      done(away(effect::unknown));
    }
  }

  void claim(std::string claimed_by, std::vector<work_quota> quotas,
             work_time now, callback<std::vector<claimed_work>> done) override {
    switch (next(claims)) {
    case 0:
      return memory_work_queue::claim(std::move(claimed_by), std::move(quotas),
                                      now, std::move(done));
    case 1:
      return done(away(effect::none));
    default:
      memory_work_queue::claim(std::move(claimed_by), std::move(quotas), now,
                               [](auto&&) {});
      done(away(effect::unknown));
    }
  }

  void report(report_ptr what, work_time now,
              std::function<void(work_outcome)> done) override {
    switch (next(reports)) {
    case 0:
      return memory_work_queue::report(std::move(what), now, std::move(done));
    case 1:
      return done(work_outcome::failed);
    default:
      memory_work_queue::report(std::move(what), now, [](auto) {});
      done(work_outcome::unknown);
    }
  }

private:
  /// 0: none; 1: before; 2: after it had its effect.
  static int next(std::deque<trouble>& from) {
    if (from.empty())
      return 0;
    auto what = from.front();
    from.pop_front();
    return what == trouble::before ? 1 : 2;
  }

  static error away(effect what) {
    return error{errc::store_unavailable, "away"}.with_effect(what);
  }
};

class dispatcher_test : public function_fixture {
protected:
  dispatcher_test() {
    module m;
    m.function("add", [this](int a, int b) {
      ++calls;
      return a + b;
    });
    m.function("fail", [this](int) -> int {
      ++calls;
      throw std::runtime_error{"no"};
    });
    m.function("twice", [this](int x) {
      ++calls;
      return 2 * x;
    });
    m.function("keep", [this](json x) { kept.push_back(x.dump()); });
    m.function("inflate", [](int size) {
      return std::string(static_cast<size_t>(size), 'x');
    });
    serve(m);
  }

  void begin(dispatcher_options options = {}) {
    options.clock = [this] { return wall(); };
    options.seed = 1;
    work.emplace(&queue,
                 work_peers{[this] { return self; }, [this] { return alive; }},
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

  work_request of(const std::string& name, std::string body) {
    work_request result;
    result.item.id = ids.next(wall());
    result.item.target.name = name;
    result.item.arguments = {std::move(body), "application/json"};
    return result;
  }

  /// Accepts it, and runs.
  invocation_id put(work_request request) {
    auto id = request.item.id;
    accepted.reset();
    work->accept(std::move(request), [this](auto what) { accepted = what; });
    run();
    return id;
  }

  std::string state_of(const invocation_id& id) {
    std::string result = "?";
    queue.find(id, [&](auto found) {
      if (!*found) {
        result = "unknown";
        return;
      }
      auto& x = **found;
      constexpr const char* names[]{"waiting", "claimed", "succeeded", "failed",
                                    "dead"};
      result = names[static_cast<int>(x.state)];
      result += " " + std::to_string(x.attempts);
      if (x.state == work_state::succeeded)
        result += " " + x.answer.bytes;
    });
    return result;
  }

  /// What it says of its error, or of what it waits for.
  std::string error_of(const invocation_id& id) {
    std::string result;
    queue.find(id, [&](auto found) {
      if (!*found)
        return;
      work->explain(**found);
      result = (**found).answer.bytes;
    });
    return result;
  }

  /// Keeps it as a dead letter, and runs.
  invocation_id bury(work_request letter) {
    auto id = letter.item.id;
    accepted.reset();
    work->bury(std::move(letter), error::from_handler("t", "no"),
               [this](auto what) { accepted = what; });
    run();
    return id;
  }

  /// As if a node that is not this one had claimed it.
  void claim_as(const std::string& other, work_request request) {
    auto policy = work->policy_of("add");
    auto& item = request.item;
    item.accepted = item.due = wall();
    item.expires = item.due + policy->age_max;
    item.attempts_max = policy->attempts_max;
    request.claimed_by = other;
    queue.accept(std::move(request), [](auto) {});
  }

  troubled_queue queue;
  work_ids ids{1};
  std::string self = "me";
  std::optional<std::vector<std::string>> alive{{"me"}};
  std::optional<dispatcher> work;
  std::optional<expected<work_accepted>> accepted;
  caf::actor parent;
  int calls = 0;
  std::vector<std::string> kept;
};

TEST_F(dispatcher_test, does_at_once_what_there_is_room_for) {
  begin();
  auto id = put(of("add", "[2,3]"));
  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ(state_of(id), "succeeded 1 5");
  EXPECT_EQ(work->counts().begun_at_once, 1u);
  EXPECT_EQ(work->counts().fetches, 0u);
  EXPECT_EQ(work->running(), 0u);
}

TEST_F(dispatcher_test, leaves_to_its_caller_what_the_caller_begins) {
  begin();
  dispatcher::starter own_thread{*work, system()};
  auto request = of("add", "[2,3]");
  request.home = std::make_shared<elsewhere>();
  auto id = request.item.id;
  work->accept(std::move(request), [](auto) {});
  run();
  EXPECT_EQ(state_of(id), "claimed 1");
  lender here{system(), nullptr, false};
  own_thread.begin_waiting(&here);
  run();
  EXPECT_EQ(state_of(id), "succeeded 1 5");
  EXPECT_EQ(work->running(), 0u);
}

TEST_F(dispatcher_test, does_what_its_caller_does_not_begin) {
  begin();
  auto request = of("add", "[2,3]");
  request.home = std::make_shared<elsewhere>();
  auto id = request.item.id;
  work->accept(std::move(request), [](auto) {});
  advance(250ms);
  EXPECT_EQ(state_of(id), "succeeded 1 5");
}

TEST_F(dispatcher_test, fetches_what_there_was_no_room_for) {
  begin({{1, 10}});
  std::vector<invocation_id> all;
  for (int i = 0; i < 5; ++i) {
    auto request = of("add", "[1," + std::to_string(i) + "]");
    all.push_back(request.item.id);
    work->accept(std::move(request), [](auto) {});
  }
  advance(1s);
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(state_of(all[i]), "succeeded 1 " + std::to_string(i + 1));
  EXPECT_GT(work->counts().claimed, 0u);
  EXPECT_EQ(calls, 5);
}

TEST_F(dispatcher_test, tries_three_times_and_then_gives_up) {
  begin();
  auto id = put(of("fail", "1"));
  EXPECT_EQ(state_of(id), "waiting 1");
  advance(1s + 2s + 250ms);
  EXPECT_EQ(state_of(id), "dead 3");
  advance(1h);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(work->counts().dead, 1u);
}

TEST_F(dispatcher_test, waits_until_it_is_due_and_not_longer) {
  begin();
  auto request = of("add", "[1,1]");
  request.item.due = wall() + 10s;
  auto id = put(std::move(request));
  advance(10s - 1ms);
  EXPECT_EQ(state_of(id), "waiting 0");
  advance(2ms);
  EXPECT_EQ(state_of(id), "succeeded 1 2");
}

TEST_F(dispatcher_test, does_not_run_what_does_not_fit) {
  begin();
  auto id = put(of("add", "[\"x\"]"));
  EXPECT_EQ(state_of(id), "dead 1");
  EXPECT_EQ(calls, 0);
}

TEST_F(dispatcher_test, keeps_what_it_cannot_do_yet) {
  begin();
  auto id = put(of("later", "1"));
  EXPECT_EQ(state_of(id), "waiting 0") << "it does not count";
  EXPECT_THAT(error_of(id), HasSubstr("there is no function 'later'"));
  advance(10min);
  EXPECT_EQ(state_of(id), "waiting 0");
  module m;
  m.function("later", [](int x) { return x; });
  serve(m);
  advance(150s);
  EXPECT_EQ(state_of(id), "succeeded 1 1");
}

TEST_F(dispatcher_test, buries_what_nobody_does_before_it_is_too_old) {
  begin();
  auto id = put(of("never", "1"));
  advance(6h + 1min);
  EXPECT_TRUE(state_of(id).starts_with("dead")) << state_of(id);
  EXPECT_THAT(error_of(id), HasSubstr("deadline_exceeded"));
  EXPECT_THAT(error_of(id), HasSubstr("there is no function 'never'"));
}

TEST_F(dispatcher_test, says_what_follow_ups_wait_for_that_nobody_has_tried) {
  dispatcher_options options;
  options.policy = [](const std::string& lane) {
    work_policy result;
    if (lane == "twice")
      result.on_success = {work_destination::parse("nobody").value()};
    return result;
  };
  begin(std::move(options));
  put(of("twice", "1"));
  std::vector<invocation_id> ids;
  work_selection waiting;
  waiting.state = work_state::waiting;
  auto list = [&](work_selection which) {
    queue.list(which, [&](auto found) {
      for (auto& x : *found)
        ids.push_back(x.id);
    });
  };
  list(waiting);
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_EQ(state_of(ids[0]), "waiting 0");
  EXPECT_THAT(error_of(ids[0]), HasSubstr("not_found"));
  EXPECT_THAT(error_of(ids[0]), HasSubstr("no function 'nobody'"));
  advance(6h + 1min);
  EXPECT_TRUE(state_of(ids[0]).starts_with("dead")) << state_of(ids[0]);
  EXPECT_THAT(error_of(ids[0]), HasSubstr("no function 'nobody'"));
}

TEST_F(dispatcher_test,
       keeps_a_dead_letter_of_somebody_else_and_never_runs_it) {
  begin();
  auto id = bury(of("add", "[2,3]"));
  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ(state_of(id), "dead 1");
  EXPECT_EQ(work->counts().dead, 1u);
  EXPECT_EQ(work->running(), 0u);
  advance(1h);
  EXPECT_EQ(calls, 0);
  work_selection all;
  queue.redrive(all, wall(), wall() + 1h, [](auto) {});
  advance(2s);
  EXPECT_EQ(state_of(id), "succeeded 1 5");
}

TEST_F(dispatcher_test, never_runs_a_dead_letter_that_is_no_call) {
  begin();
  auto letter = of("add", "[2,3]");
  letter.item.notes = R"({"unreadable":{"errorType":"bad_request",)"
                      R"("errorMessage":"no field 'id'","effect":"none"}})";
  auto id = bury(std::move(letter));
  queue.redrive({}, wall(), wall() + 1h, [](auto) {});
  advance(1h);
  EXPECT_TRUE(state_of(id).starts_with("dead")) << state_of(id);
  EXPECT_THAT(error_of(id), HasSubstr("no field 'id'"));
  EXPECT_EQ(calls, 0);
}

TEST_F(dispatcher_test, tells_of_a_letter_that_is_no_call_as_of_any_other) {
  dispatcher_options options;
  options.policy = [](const std::string& lane) {
    work_policy result;
    if (lane == "add")
      result.on_failure = {*work_destination::parse("keep")};
    return result;
  };
  begin(std::move(options));
  auto letter = of("add", "[2,3]");
  letter.item.notes = R"({"unreadable":{"errorType":"bad_request",)"
                      R"("errorMessage":"no field 'id'","effect":"none"}})";
  bury(std::move(letter));
  queue.redrive({}, wall(), wall() + 1h, [](auto) {});
  advance(1h);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_THAT(kept[0], HasSubstr("no field 'id'"));
  EXPECT_EQ(calls, 0);
}

TEST_F(dispatcher_test, knows_a_dead_letter_that_comes_again) {
  begin();
  auto letter = of("add", "[2,3]");
  letter.idempotency_key = "m 1";
  letter.fingerprint = "f";
  auto again = letter;
  again.item.id = ids.next(wall());
  auto id = bury(std::move(letter));
  auto other = bury(std::move(again));
  ASSERT_TRUE(accepted && *accepted);
  EXPECT_EQ((*accepted)->id, id);
  EXPECT_FALSE((*accepted)->is_new);
  EXPECT_EQ(state_of(other), "unknown");
}

TEST_F(dispatcher_test, a_dead_letter_is_dead_whatever_becomes_of_the_report) {
  begin();
  for (auto what : {trouble::before, trouble::after}) {
    queue.reports = {what};
    auto id = bury(of("add", "[2,3]"));
    EXPECT_TRUE(accepted && *accepted);
    advance(1min);
    EXPECT_TRUE(state_of(id).starts_with("dead")) << state_of(id);
    EXPECT_EQ(calls, 0);
  }
}

TEST_F(dispatcher_test, says_when_it_could_not_keep_a_dead_letter) {
  begin();
  queue.accepts = {trouble::before};
  auto id = bury(of("add", "[2,3]"));
  EXPECT_TRUE(accepted && !*accepted);
  EXPECT_EQ(state_of(id), "unknown");
  queue.accepts = {trouble::after};
  auto kept = bury(of("add", "[2,3]"));
  EXPECT_TRUE(accepted && !*accepted);
  advance(1min); // it was kept after all, and nobody runs it
  EXPECT_TRUE(state_of(kept).starts_with("dead")) << state_of(kept);
  self = "";
  bury(of("add", "[2,3]"));
  EXPECT_EQ(accepted->error(), errc::store_unavailable);
  EXPECT_EQ(calls, 0);
}

TEST_F(dispatcher_test, a_dead_letter_of_a_node_that_dies_is_dead) {
  begin();
  auto letter = of("add", "[2,3]");
  auto& item = letter.item;
  item.accepted = item.due = item.expires = wall();
  item.attempts_max = 3;
  letter.claimed_by = "other"; // it could not report it
  auto id = item.id;
  queue.accept(std::move(letter), [](auto) {});
  advance(1min);
  EXPECT_TRUE(state_of(id).starts_with("dead")) << state_of(id);
  EXPECT_EQ(calls, 0);
}

TEST_F(dispatcher_test, takes_no_more_than_a_megabyte) {
  begin();
  auto id = put(of("add", std::string(defaults::work::payload_max + 1, ' ')));
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->error() == errc::payload_too_large);
  EXPECT_EQ(state_of(id), "unknown");
}

TEST_F(dispatcher_test, is_not_called_twice_under_one_key) {
  begin();
  auto first = of("add", "[1,2]");
  first.idempotency_key = "k";
  auto again = of("add", "[1,2]");
  again.idempotency_key = "k";
  auto id = put(std::move(first));
  put(std::move(again));
  EXPECT_EQ((*accepted)->id, id);
  EXPECT_FALSE((*accepted)->is_new);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(work->running(), 0u);
  auto other = of("add", "[1,3]");
  other.idempotency_key = "k";
  put(std::move(other));
  EXPECT_EQ(accepted->error(), errc::idempotency_conflict);
  EXPECT_EQ(calls, 1);
}

// -- the store ----------------------------------------------------------------

TEST_F(dispatcher_test, reports_again_until_the_store_has_heard) {
  begin();
  for (auto how : {trouble::before, trouble::after}) {
    queue.reports = {how, how, how};
    auto id = put(of("add", "[1,1]"));
    EXPECT_EQ(work->running(), 1u) << "it keeps its place";
    advance(2s);
    EXPECT_EQ(state_of(id), "succeeded 1 2");
    EXPECT_EQ(work->running(), 0u);
  }
  EXPECT_EQ(calls, 2);
}

TEST_F(dispatcher_test, says_so_if_nothing_was_accepted) {
  begin();
  queue.accepts = {trouble::before};
  auto id = put(of("add", "[1,1]"));
  ASSERT_TRUE(accepted && !*accepted);
  advance(1min);
  EXPECT_EQ(state_of(id), "unknown");
  EXPECT_EQ(work->running(), 0u);
  EXPECT_EQ(calls, 0);
}

TEST_F(dispatcher_test, finds_work_of_which_it_was_not_told) {
  begin();
  queue.accepts = {trouble::after};
  auto id = put(of("add", "[1,1]"));
  ASSERT_TRUE(accepted && !*accepted);
  EXPECT_EQ(accepted->error().what_happened(), effect::unknown);
  EXPECT_EQ(state_of(id), "claimed 1");
  advance(10s);
  EXPECT_EQ(state_of(id), "succeeded 1 2");
  EXPECT_EQ(calls, 1);
}

TEST_F(dispatcher_test, finds_a_claim_of_which_it_was_not_told) {
  begin();
  queue.claims = {trouble::before, trouble::after};
  auto request = of("add", "[1,1]");
  request.item.due = wall() + 1s;
  auto id = put(std::move(request));
  advance(20s);
  EXPECT_EQ(state_of(id), "succeeded 1 2");
  EXPECT_EQ(calls, 1);
}

// -- other nodes --------------------------------------------------------------

TEST_F(dispatcher_test, does_what_a_node_that_died_had_claimed) {
  alive = {{"me", "other"}};
  begin();
  auto request = of("add", "[1,1]");
  auto id = request.item.id;
  claim_as("other", std::move(request));
  advance(10s);
  EXPECT_EQ(state_of(id), "claimed 1") << "it lives";
  alive = {{"me"}};
  advance(300ms);
  EXPECT_EQ(state_of(id), "succeeded 2 2") << "at the next look";
  EXPECT_EQ(work->counts().given_back, 1u);
}

TEST_F(dispatcher_test, does_what_a_run_before_it_had_claimed) {
  begin();
  auto request = of("add", "[1,1]");
  auto id = request.item.id;
  claim_as("my last run", std::move(request));
  advance(6s);
  EXPECT_EQ(state_of(id), "succeeded 2 2");
}

TEST_F(dispatcher_test, takes_nothing_from_a_node_that_has_just_come) {
  begin();
  advance(2400ms);
  auto request = of("add", "[1,1]");
  auto id = request.item.id;
  claim_as("newcomer", std::move(request));
  advance(2s); // it was seen once, by a view that is older than it
  alive = {{"me", "newcomer"}};
  advance(1min);
  EXPECT_EQ(state_of(id), "claimed 1");
}

TEST_F(dispatcher_test, judges_nobody_while_it_does_not_know_who_is_there) {
  alive = {{"me", "other"}};
  begin();
  auto request = of("add", "[1,1]");
  auto id = request.item.id;
  claim_as("other", std::move(request));
  advance(1s);
  alive = std::nullopt;
  advance(1min);
  EXPECT_EQ(state_of(id), "claimed 1");
}

TEST_F(dispatcher_test, lets_nothing_begin_once_it_leaves) {
  begin();
  work->stop_claiming();
  auto id = put(of("add", "[1,1]"));
  EXPECT_TRUE(accepted && *accepted);
  advance(1min);
  EXPECT_EQ(state_of(id), "waiting 0");
}

TEST_F(dispatcher_test, accepts_and_waits_while_it_is_no_member) {
  self.clear();
  begin();
  auto id = put(of("add", "[1,1]"));
  advance(10s);
  EXPECT_EQ(state_of(id), "waiting 0");
  self = "me";
  advance(2s);
  EXPECT_EQ(state_of(id), "succeeded 1 2");
}

work_destination to(const std::string& text) {
  return *work_destination::parse(text);
}

/// Options with these destinations for the lane `name`, and one attempt.
dispatcher_options after(const std::string& name, const std::string& success,
                         const std::string& failure) {
  dispatcher_options result;
  result.policy = [=](const std::string& lane) {
    work_policy x;
    x.attempts_max = 1;
    if (lane == name) {
      x.on_success = {to(success)};
      x.on_failure = {to(failure)};
    }
    return x;
  };
  return result;
}

TEST_F(dispatcher_test, calls_the_next_with_the_result) {
  begin(after("twice", "keep", "told"));
  auto id = put(of("twice", "21"));
  EXPECT_EQ(state_of(id), "succeeded 1 42");
  EXPECT_THAT(kept, ElementsAre("42"));
}

TEST_F(dispatcher_test, tells_of_a_failure_and_has_no_dead_letter_then) {
  begin(after("fail", "keep", "keep"));
  auto id = put(of("fail", "7"));
  EXPECT_EQ(state_of(id), "failed 1");
  ASSERT_EQ(kept.size(), 1u);
  auto notice = json::parse(kept.front());
  EXPECT_EQ(notice["id"], to_string(id));
  EXPECT_EQ(notice["target"], "fail");
  EXPECT_EQ(notice["attempts"], 1);
  EXPECT_EQ(notice["arguments"], 7);
  EXPECT_EQ(notice["error"]["errorMessage"], "no");
}

TEST_F(dispatcher_test, tells_of_what_could_not_begin_too) {
  begin(after("add", "keep", "keep"));
  auto id = put(of("add", R"("no number")"));
  EXPECT_EQ(state_of(id), "failed 1");
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(json::parse(kept.front())["arguments"], "no number");
}

TEST_F(dispatcher_test, ends_a_pipeline_that_leads_back_into_itself) {
  begin(after("twice", "twice", "keep"));
  put(of("twice", "0"));
  for (int i = 0; i < 100; ++i)
    advance(1s);
  EXPECT_EQ(calls, static_cast<int>(defaults::work::steps_max) + 1);
  EXPECT_EQ(work->counts().dead, 1u);
  EXPECT_TRUE(kept.empty());
}

TEST_F(dispatcher_test, loses_no_result_that_is_too_large_for_the_next) {
  begin(after("inflate", "keep", "told"));
  auto id = put(of("inflate", "2000000"));
  EXPECT_EQ(state_of(id), "failed 1");
  EXPECT_TRUE(kept.empty());
}

TEST_F(dispatcher_test, without_a_queue_takes_nothing) {
  begin();
  dispatcher none{nullptr, {}, env, {}};
  std::optional<expected<work_accepted>> got;
  none.accept(of("add", "[1,1]"), [&](auto what) { got = what; });
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->error() == errc::not_implemented);
}

} // namespace
} // namespace troupe::testing
