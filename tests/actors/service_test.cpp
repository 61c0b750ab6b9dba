// Services in virtual time, over a store that fails as the test says.

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "actors/core/tree.hpp"
#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

using fate = testing::test_store::fate;

// -- what is served
// ------------------------------------------------------------

struct counter {
  int value = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)

  int get() const { return value; }

  int increment(int by) { return value += by; }

  int spoil(int by) {
    value += by;
    throw std::runtime_error{"spoiled"};
  }

  int refuse(int by) {
    value += by;
    throw error_exception{error{errc::lock_held, "not now"}};
  }

  task<int> add_twice(context& ctx, int by) {
    value += co_await ctx.function<int(int)>("twice")(by);
    co_return value;
  }

  task<int> add_later(context& ctx, int by) {
    value += by;
    co_await ctx.sleep(1s);
    co_return value;
  }

  task<int> ask_nobody(context& ctx, int by) {
    value += by;
    co_return co_await ctx.function<int(int)>("nobody")(by);
  }

  task<int> ask_itself(context& ctx) const {
    co_return co_await ctx.entity<counter>(ctx.key()).call(&counter::get);
  }

  task<int> ask_itself_through_a_function(context& ctx) const {
    std::string key{ctx.key()};
    co_return co_await ctx.function<int(text)>("read")(text{key});
  }

  task<int> ask_the_next(context& ctx, int depth) const {
    if (depth == 0)
      co_return 0;
    auto next = ctx.entity<counter>("n" + std::to_string(depth));
    co_return 1 + co_await next.call(&counter::ask_the_next, depth - 1);
  }

  task<int> add_to(context& ctx, text key, int by) {
    value += by;
    co_return co_await ctx.entity<counter>(key.value).call(&counter::increment,
                                                           by);
  }
};

/// A state that JSON cannot always give back.
struct box {
  json data;
  double number = 0;
  std::string bytes;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(box, data, number, bytes)

  void put(json x) { data = std::move(x); }

  json take() const { return data; }

  void wrap(int levels) {
    for (int i = 0; i < levels; ++i)
      data = json::array({std::move(data)});
  }

  void divide_by_zero() { number = std::nan(""); }

  void garble() { bytes = "\xFF\xFE"; }
};

module served() {
  module m;
  m.function("twice", [](context& ctx, int x) -> task<int> {
    co_await ctx.sleep(10ms);
    co_return 2 * x;
  });
  m.function("read", [](context& ctx, text key) -> task<int> {
    co_return co_await ctx.entity<counter>(key.value).call(&counter::get);
  });
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment)
    .method("spoil", &counter::spoil)
    .method("refuse", &counter::refuse)
    .method("add_twice", &counter::add_twice)
    .method("add_later", &counter::add_later)
    .method("ask_nobody", &counter::ask_nobody)
    .method("ask_itself", &counter::ask_itself)
    .method("ask_through", &counter::ask_itself_through_a_function)
    .method("ask_the_next", &counter::ask_the_next)
    .method("add_to", &counter::add_to);
  m.service<box>("box")
    .method("put", &box::put)
    .method("take", &box::take)
    .method("wrap", &box::wrap)
    .method("divide_by_zero", &box::divide_by_zero)
    .method("garble", &box::garble);
  return m;
}

class service_test : public service_fixture {
protected:
  service_test() : service_fixture(served()) {}

  std::string call_box(std::string method, std::string body = {}) {
    auto x = begin_at("box", "b", std::move(method), std::move(body), {}, 30s);
    run();
    return x->text();
  }
};

// -- state
// ---------------------------------------------------------------------

TEST_F(service_test, answers_with_the_state_and_its_revision) {
  auto first = begin("k", "get");
  auto second = begin("k", "increment", "5");
  auto third = begin("k", "get");
  run();
  EXPECT_EQ(first->text(), "0");
  EXPECT_EQ(first->call->revision, 0u);
  EXPECT_EQ(second->text(), "5");
  EXPECT_EQ(second->call->revision, 1u);
  EXPECT_EQ(third->text(), "5");
  EXPECT_EQ(third->call->revision, 1u);
  EXPECT_EQ(stored("k"), "1 {\"value\":5}");
}

TEST_F(service_test, loads_an_entity_once_for_all_that_wait) {
  store.held = true;
  auto first = begin("k", "increment", "1");
  auto second = begin("k", "increment", "2");
  run();
  EXPECT_EQ(first->text(), "-");
  EXPECT_EQ(store.loads, 1u);
  store.release();
  run();
  EXPECT_EQ(first->text(), "1");
  EXPECT_EQ(second->text(), "3");
  EXPECT_EQ(store.loads, 1u);
}

TEST_F(service_test, keeps_entities_apart) {
  EXPECT_EQ(call("a", "increment", "1"), "1");
  EXPECT_EQ(call("b", "increment", "2"), "2");
  EXPECT_EQ(call("a", "get"), "1");
  EXPECT_EQ(target().stats().instances, 2u);
}

TEST_F(service_test, answers_a_change_only_when_it_is_durable) {
  call("k", "get");
  store.held = true;
  auto change = begin("k", "increment", "1");
  auto next = begin("k", "get");
  run();
  EXPECT_EQ(change->text(), "-");
  EXPECT_EQ(next->text(), "-") << "it would see what may be lost";
  store.release();
  run();
  EXPECT_EQ(change->text(), "1");
  EXPECT_EQ(next->text(), "1");
}

TEST_F(service_test, commits_nothing_for_a_const_method) {
  call("k", "increment", "1");
  EXPECT_EQ(call("k", "get"), "1");
  EXPECT_EQ(store.commits, 1u);
}

TEST_F(service_test, commits_nothing_when_the_state_is_what_it_was) {
  EXPECT_EQ(call("k", "increment", "0"), "0");
  EXPECT_EQ(store.commits, 0u);
  call("k", "increment", "1");
  auto same = begin("k", "increment", "0");
  run();
  EXPECT_EQ(same->text(), "1");
  EXPECT_EQ(same->call->revision, 1u);
  EXPECT_EQ(store.commits, 1u);
}

TEST_F(service_test, commits_nothing_when_only_the_stored_text_is_older) {
  store.entities[{"counter", "k"}] = {3, "{ \"old\": 1, \"value\": 7 }"};
  EXPECT_EQ(call("k", "increment", "0"), "7");
  EXPECT_EQ(store.commits, 0u);
  EXPECT_EQ(call("k", "increment", "1"), "8");
  EXPECT_EQ(stored("k"), "4 {\"value\":8}");
}

TEST_F(service_test, passivates_an_idle_entity_and_has_its_state_again) {
  call("k", "increment", "4");
  advance(299s);
  EXPECT_EQ(target().stats().instances, 1u);
  advance(20s);
  EXPECT_EQ(target().stats().instances, 0u);
  EXPECT_FALSE(has_timer()) << "nothing is left to wait for";
  EXPECT_EQ(call("k", "get"), "4");
  EXPECT_EQ(store.loads, 2u);
}

TEST_F(service_test, passivates_all_that_is_idle_however_many_there_are) {
  for (int i = 0; i < 3000; ++i)
    call("k" + std::to_string(i), "get");
  EXPECT_EQ(target().stats().instances, 3000u);
  advance(330s);
  EXPECT_EQ(target().stats().instances, 0u);
}

TEST_F(service_test, keeps_so_many_idle_entities_and_no_more) {
  serve({.budget = std::make_shared<activation_budget>(10)});
  for (int i = 0; i < 30; ++i)
    call("k" + std::to_string(i), "increment", "1");
  EXPECT_EQ(target().stats().instances, 10u);
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(call("k" + std::to_string(i), "get"), "1");
  EXPECT_EQ(target().stats().instances, 10u);
}

TEST_F(service_test, ends_no_entity_that_has_a_call_to_make_room) {
  serve({.budget = std::make_shared<activation_budget>(2)});
  store.held = true;
  std::vector<outcome_ptr> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(begin("k" + std::to_string(i), "increment", "1"));
  run();
  EXPECT_EQ(target().stats().instances, 5u);
  store.held = false;
  store.release();
  run();
  for (auto& x : calls)
    EXPECT_EQ(x->text(), "1");
  for (int i = 5; i < 10; ++i)
    call("k" + std::to_string(i), "get");
  EXPECT_EQ(target().stats().instances, 2u);
}

TEST_F(service_test, passivates_no_entity_that_was_used_meanwhile) {
  call("a", "increment", "1");
  call("b", "increment", "1");
  advance(200s);
  call("a", "get");
  advance(150s);
  EXPECT_EQ(target().stats().instances, 1u);
  EXPECT_EQ(call("a", "get"), "1");
  EXPECT_EQ(store.loads, 2u);
}

TEST_F(service_test, passivates_no_entity_that_has_a_call) {
  serve({.idle_time = 1s});
  call("k", "get");
  store.held = true;
  auto change = begin("k", "increment", "1");
  advance(10s);
  EXPECT_EQ(target().stats().instances, 1u);
  store.release();
  run();
  EXPECT_EQ(change->text(), "1");
  advance(10s);
  EXPECT_EQ(target().stats().instances, 0u);
}

TEST_F(service_test, loses_no_call_that_meets_a_passivation) {
  serve({.idle_time = 1s});
  for (int i = 0; i < 200; ++i) {
    auto before = begin("k", "increment", "1");
    advance(1s - 1ms * (i % 3));
    auto after = begin("k", "increment", "1");
    advance(1s + 1ms * (i % 5));
    EXPECT_NE(before->text(), "-");
    EXPECT_EQ(after->text(), std::to_string(2 * i + 2));
  }
}

// -- methods that fail
// -----------------------------------------------------------

TEST_F(service_test, goes_back_to_its_snapshot_when_a_method_throws) {
  call("k", "increment", "1");
  EXPECT_EQ(call("k", "spoil", "10"), "std::runtime_error ran");
  EXPECT_EQ(call("k", "get"), "1");
  EXPECT_EQ(store.commits, 1u);
  EXPECT_EQ(store.loads, 1u);
}

TEST_F(service_test, goes_back_to_the_first_state_when_the_first_call_throws) {
  EXPECT_EQ(call("k", "spoil", "10"), "std::runtime_error ran");
  EXPECT_EQ(call("k", "get"), "0");
  EXPECT_EQ(stored("k"), "-");
}

TEST_F(service_test, answers_the_error_that_a_method_chose_and_undoes_it) {
  EXPECT_EQ(call("k", "refuse", "10"), "lock_held none");
  EXPECT_EQ(call("k", "get"), "0");
}

TEST_F(service_test, refuses_arguments_that_do_not_fit_before_it_runs) {
  EXPECT_EQ(call("k", "increment", "\"one\""), "bad_request none");
  EXPECT_EQ(call("k", "increment", "[1"), "bad_request none");
  EXPECT_EQ(call("k", "add_later", "\"one\""), "bad_request none");
  EXPECT_EQ(call("k", "get"), "0");
  EXPECT_EQ(store.commits, 0u);
}

TEST_F(service_test, refuses_a_method_that_it_does_not_have) {
  EXPECT_EQ(call("k", "launch"), "not_found none");
  EXPECT_EQ(call("k", "get"), "0");
}

TEST_F(service_test, refuses_a_key_that_is_none) {
  EXPECT_EQ(call("", "get"), "bad_request none");
  EXPECT_EQ(call(std::string(513, 'k'), "get"), "bad_request none");
  EXPECT_EQ(call("\xFF", "get"), "bad_request none");
  EXPECT_EQ(call(std::string(512, 'k'), "get"), "0");
}

TEST_F(service_test, undoes_a_state_that_json_cannot_give_back) {
  EXPECT_EQ(call_box("put", "[1]"), "null");
  EXPECT_EQ(call_box("wrap", "2000"), "std::length_error ran");
  EXPECT_EQ(call_box("divide_by_zero"), "std::domain_error ran");
  EXPECT_NE(call_box("garble").find(" ran"), std::string::npos);
  EXPECT_EQ(call_box("take"), "[1]");
  EXPECT_EQ(store.commits, 1u);
}

TEST_F(service_test, keeps_the_deepest_argument_over_a_passivation) {
  auto deep = std::string(512, '[') + std::string(512, ']');
  EXPECT_EQ(call_box("put", deep), "null");
  advance(400s);
  EXPECT_EQ(call_box("take"), deep);
  EXPECT_EQ(store.loads, 2u);
}

// -- If-Match
// --------------------------------------------------------------------

TEST_F(service_test, runs_a_call_whose_condition_holds) {
  EXPECT_EQ(call("k", "increment", "1", "\"0\""), "1");
  EXPECT_EQ(call("k", "increment", "1", "\"9\", \"1\""), "2");
  EXPECT_EQ(call("k", "increment", "1", "*"), "3");
  EXPECT_EQ(call("k", "get", "", "\"3\""), "3");
}

TEST_F(service_test, runs_no_call_whose_condition_does_not_hold) {
  EXPECT_EQ(call("k", "increment", "1", "*"), "revision_mismatch none");
  call("k", "increment", "1");
  EXPECT_EQ(call("k", "increment", "1", "\"0\""), "revision_mismatch none");
  EXPECT_EQ(call("k", "get", "", "\"2\""), "revision_mismatch none");
  EXPECT_EQ(call("k", "get", "", "1"), "bad_request none");
  EXPECT_EQ(call("k", "get"), "1");
  EXPECT_EQ(store.commits, 1u);
}

// -- the store fails
// ---------------------------------------------------------------

TEST_F(service_test, loads_anew_after_a_commit_was_refused) {
  call("k", "increment", "1");
  store.other_state = "{\"value\":50}";
  store.fates = {fate::overtaken};
  auto refused = begin("k", "increment", "1");
  auto next = begin("k", "increment", "1");
  run();
  EXPECT_EQ(refused->text(), "not_owner none");
  EXPECT_EQ(next->text(), "not_owner none") << "it saw what was refused";
  EXPECT_EQ(call("k", "increment", "1"), "51");
  EXPECT_EQ(stored("k"), "3 {\"value\":51}");
}

TEST_F(service_test, goes_back_to_its_snapshot_when_a_commit_failed) {
  call("k", "increment", "1");
  store.fates = {fate::failed, fate::failed};
  EXPECT_EQ(call("k", "increment", "1"), "store_unavailable none");
  EXPECT_EQ(call("k", "get"), "1");
  EXPECT_EQ(call("k", "increment", "1"), "store_unavailable none");
  EXPECT_EQ(call("k", "increment", "1"), "2");
  EXPECT_EQ(outcomes[1]->call->failure()->retry_after_s(), 1u);
}

TEST_F(service_test, has_run_when_its_commit_fails_after_it_has_called_others) {
  store.fates = {fate::normal, fate::failed};
  EXPECT_EQ(call("a", "add_to", R"(["b", 1])"), "store_unavailable ran");
  EXPECT_EQ(call("a", "get"), "0");
  EXPECT_EQ(call("b", "get"), "1") << "a repeat would add to it twice";
  store.other_state = R"({"value": 7})";
  store.fates = {fate::normal, fate::overtaken};
  EXPECT_EQ(call("a", "add_to", R"(["b", 1])"), "not_owner ran");
  store.fates = {fate::failed};
  EXPECT_EQ(call("a", "increment", "1"), "store_unavailable none");
}

TEST_F(service_test, finds_out_that_an_unknown_commit_was_written) {
  store.fates = {fate::unknown_written};
  auto change = begin("k", "increment", "1");
  run();
  EXPECT_EQ(change->text(), "1");
  EXPECT_EQ(change->call->revision, 1u);
  EXPECT_EQ(call("k", "increment", "1"), "2");
}

TEST_F(service_test, finds_out_that_an_unknown_commit_was_lost) {
  call("k", "increment", "1");
  store.fates = {fate::unknown_lost};
  EXPECT_EQ(call("k", "increment", "1"), "store_unavailable none");
  EXPECT_EQ(call("k", "increment", "1"), "2");
}

TEST_F(service_test,
       cannot_know_of_an_unknown_commit_that_somebody_else_may_have_followed) {
  call("k", "increment", "1");
  store.held = true;
  store.fates = {fate::unknown_lost};
  auto change = begin("k", "increment", "1");
  run();
  store.release();
  store.take_over({"counter", "k"}, "{\"value\":9}");
  run();
  EXPECT_EQ(change->text(), "outcome_unknown unknown");
  EXPECT_EQ(call("k", "get"), "9");
}

TEST_F(service_test, cannot_know_when_others_went_on_after_an_unknown_commit) {
  call("k", "increment", "1");
  store.held = true;
  store.fates = {fate::unknown_written};
  auto change = begin("k", "increment", "1");
  run();
  store.release();
  store.take_over({"counter", "k"}, "{\"value\":9}");
  run();
  EXPECT_EQ(change->text(), "outcome_unknown unknown");
  EXPECT_EQ(call("k", "get"), "9");
}

TEST_F(service_test, asks_again_for_an_unknown_commit_while_there_is_time) {
  call("k", "get");
  store.fates = {fate::unknown_written};
  store.failing_loads = 3;
  auto change = begin("k", "increment", "1");
  auto next = begin("k", "get");
  advance(100ms);
  EXPECT_EQ(change->text(), "-");
  EXPECT_EQ(next->text(), "-");
  advance(50ms);
  EXPECT_EQ(change->text(), "1");
  EXPECT_EQ(next->text(), "1");
}

TEST_F(service_test, says_that_an_outcome_is_unknown_by_the_deadline) {
  call("k", "get");
  store.fates = {fate::unknown_written};
  store.failing_loads = 1'000'000;
  auto change = begin("k", "increment", "1", {}, 1s);
  advance(1s);
  EXPECT_EQ(change->text(), "outcome_unknown unknown");
  store.failing_loads = 0;
  EXPECT_EQ(call("k", "get"), "1");
}

TEST_F(service_test, answers_all_that_wait_when_the_state_cannot_be_loaded) {
  store.failing_loads = 1;
  store.held = true;
  auto first = begin("k", "get");
  auto second = begin("k", "increment", "1");
  run();
  store.release();
  run();
  EXPECT_EQ(first->text(), "store_unavailable none");
  EXPECT_EQ(second->text(), "store_unavailable none");
  EXPECT_EQ(call("k", "get"), "0");
}

TEST_F(service_test, harms_no_stored_state_that_does_not_fit_its_class) {
  for (auto state : {"{\"value\":\"many\"}", "{}", "[", "17"}) {
    store.entities[{"counter", state}] = {4, state};
    EXPECT_EQ(call(state, "increment", "1"), "internal_error none");
    EXPECT_EQ(stored(state), std::string{"4 "} + state);
  }
  EXPECT_EQ(store.commits, 0u);
}

// -- the queue
// -----------------------------------------------------------------------

TEST_F(service_test, answers_at_the_deadline_and_runs_no_call_that_is_late) {
  store.held = true;
  auto hasty = begin("k", "increment", "1", {}, 1s);
  auto patient = begin("k", "increment", "2");
  advance(2s);
  EXPECT_EQ(hasty->text(), "deadline_exceeded none");
  EXPECT_EQ(patient->text(), "-");
  store.release();
  run();
  EXPECT_EQ(patient->text(), "2");
}

TEST_F(service_test, runs_no_late_call_that_nobody_has_ended_yet) {
  deadlines.on_armed({}); // the ticker is asleep
  store.held = true;
  auto late = begin("k", "increment", "1", {}, 1s);
  advance(1s);
  EXPECT_EQ(late->text(), "-");
  store.release();
  run();
  EXPECT_EQ(late->text(), "deadline_exceeded none");
  EXPECT_EQ(target().stats().late, 1u);
  EXPECT_EQ(call("k", "get"), "0");
}

TEST_F(service_test, says_that_a_call_may_have_run_when_its_commit_is_slow) {
  call("k", "get");
  store.held = true;
  auto change = begin("k", "increment", "1", {}, 1s);
  advance(2s);
  EXPECT_EQ(change->text(), "deadline_exceeded unknown");
  store.release();
  EXPECT_EQ(call("k", "get"), "1");
}

TEST_F(service_test, runs_no_call_that_its_caller_gave_up) {
  store.held = true;
  auto given_up = begin("k", "increment", "1");
  EXPECT_EQ(given_up->call->abandon(), effect::none);
  auto next = begin("k", "increment", "2");
  run();
  store.release();
  run();
  EXPECT_EQ(given_up->answers, 0);
  EXPECT_EQ(next->text(), "2");
  EXPECT_TRUE(target().idle());
}

TEST_F(service_test, takes_so_many_calls_for_one_entity_and_no_more) {
  serve({.queue = 3});
  call("k", "get");
  store.held = true;
  std::vector<outcome_ptr> fit;
  for (int i = 0; i < 4; ++i) // one is in its commit, three wait
    fit.push_back(begin("k", "increment", "1"));
  auto too_many = begin("k", "increment", "1");
  run();
  EXPECT_EQ(too_many->text(), "too_many_requests none");
  EXPECT_EQ(too_many->call->failure()->retry_after_s(), 1u);
  EXPECT_EQ(target().stats().rejected, 1u);
  store.release();
  run();
  EXPECT_EQ(fit[3]->text(), "4");
  EXPECT_EQ(call("k", "increment", "1"), "5");
}

TEST_F(service_test, makes_room_where_callers_gave_up) {
  serve({.queue = 3});
  call("k", "get");
  store.held = true;
  auto first = begin("k", "increment", "1");
  for (int i = 0; i < 3; ++i)
    begin("k", "increment", "1")->call->abandon();
  EXPECT_EQ(call("k", "get"), "too_many_requests none");
  auto fits = begin("k", "increment", "1");
  run();
  EXPECT_EQ(fits->text(), "-");
  store.release();
  run();
  EXPECT_EQ(fits->text(), "2");
}

TEST_F(service_test, takes_so_many_calls_for_the_whole_service_and_no_more) {
  serve({.in_flight = 2});
  store.held = true;
  auto a = begin("a", "get");
  auto b = begin("b", "get");
  auto c = begin("c", "get");
  EXPECT_EQ(c->text(), "too_many_requests none");
  run();
  store.release();
  run();
  EXPECT_EQ(a->text(), "0");
  EXPECT_EQ(b->text(), "0");
  EXPECT_EQ(call("c", "get"), "0");
}

// -- coroutines
// ------------------------------------------------------------------------

TEST_F(service_test, holds_the_entity_while_its_method_calls_a_function) {
  auto slow = begin("k", "add_twice", "3");
  auto next = begin("k", "increment", "1");
  run();
  EXPECT_EQ(slow->text(), "-");
  EXPECT_EQ(next->text(), "-");
  advance(10ms);
  EXPECT_EQ(slow->text(), "6");
  EXPECT_EQ(next->text(), "7");
  EXPECT_EQ(stored("k"), "2 {\"value\":7}");
}

TEST_F(service_test, holds_no_other_entity_while_one_waits) {
  auto slow = begin("k", "add_later", "3");
  EXPECT_EQ(call("other", "increment", "1"), "1");
  EXPECT_EQ(slow->text(), "-");
  advance(1s);
  EXPECT_EQ(slow->text(), "3");
}

TEST_F(service_test, goes_back_to_its_snapshot_when_a_nested_call_fails) {
  EXPECT_EQ(call("k", "ask_nobody", "3"), "not_found ran");
  EXPECT_EQ(call("k", "get"), "0");
  EXPECT_EQ(store.commits, 0u);
}

TEST_F(service_test, calls_other_entities) {
  EXPECT_EQ(call("a", "add_to", "[\"b\", 4]"), "4");
  EXPECT_EQ(stored("a"), "1 {\"value\":4}");
  EXPECT_EQ(stored("b"), "1 {\"value\":4}");
}

TEST_F(service_test, answers_at_once_when_an_entity_calls_itself) {
  EXPECT_EQ(call("k", "ask_itself"), "call_cycle ran");
  EXPECT_EQ(call("k", "ask_through"), "call_cycle ran");
  EXPECT_EQ(call("k", "get"), "0");
}

TEST_F(service_test, lets_no_path_of_entities_grow_without_bound) {
  EXPECT_EQ(call("k", "ask_the_next", "15"), "15");
  EXPECT_EQ(call("k", "ask_the_next", "16"), "call_cycle ran");
}

TEST_F(service_test, ends_a_nested_call_at_the_deadline_of_the_outer_one) {
  store.held = true;
  auto outer = begin("a", "add_to", "[\"b\", 4]", {}, 1s);
  run();
  store.release();
  store.held = true; // now b waits for its state
  run();
  advance(2s);
  EXPECT_EQ(outer->text().substr(0, 17), "deadline_exceeded");
  store.release();
  run();
  EXPECT_EQ(call("a", "get"), "0");
  EXPECT_EQ(call("b", "get"), "0");
}

TEST_F(service_test, lets_the_younger_of_two_die_that_wait_for_each_other) {
  store.held = true;
  auto a = begin("a", "add_to", "[\"b\", 1]", {}, 1s);
  auto b = begin("b", "add_to", "[\"a\", 1]", {}, 1s);
  run();
  store.release();
  run();
  EXPECT_EQ(a->text(), "1");
  EXPECT_EQ(b->text(), "busy_retry ran");
  EXPECT_TRUE(target().idle());
  EXPECT_EQ(call("a", "get"), "1");
  EXPECT_EQ(call("b", "get"), "1");
}

// -- the end
// -----------------------------------------------------------------------------

TEST_F(service_test, answers_all_that_is_pending_when_its_host_ends) {
  auto committing = begin("a", "get");
  run();
  store.held = true;
  committing = begin("a", "increment", "1");
  auto behind = begin("a", "get");
  auto loading = begin("b", "get");
  auto waiting = begin("c", "get");
  run();
  caf::anon_send_exit(hosts["counter"], caf::exit_reason::kill);
  run();
  EXPECT_EQ(committing->text(), "instance_lost unknown");
  EXPECT_EQ(behind->text(), "instance_lost unknown") << "it ran already";
  EXPECT_EQ(loading->text(), "shutting_down none");
  EXPECT_EQ(waiting->text(), "shutting_down none");
  EXPECT_EQ(call("a", "get"), "shutting_down none");
  store.release();
  run();
  EXPECT_TRUE(target().idle());
  EXPECT_EQ(target().stats().instances, 0u);
  EXPECT_EQ(target().stats().in_flight, 0u);
}

TEST_F(service_test, answers_a_coroutine_that_its_host_leaves_waiting) {
  auto sleeping = begin("a", "add_later", "1");
  auto calling = begin("b", "add_twice", "1");
  run();
  caf::anon_send_exit(hosts["counter"], caf::exit_reason::kill);
  advance(2s);
  EXPECT_EQ(sleeping->text(), "instance_lost unknown");
  EXPECT_EQ(calling->text(), "instance_lost unknown");
}

TEST_F(service_test, answers_calls_that_are_still_in_the_mailbox_at_its_end) {
  auto x = begin("a", "get"); // nothing has run yet
  caf::anon_send_exit(hosts["counter"], caf::exit_reason::kill);
  run();
  EXPECT_EQ(x->text(), "shutting_down none");
}

TEST_F(service_test, takes_calls_as_soon_as_its_host_is_spawned) {
  auto definition = module_.services().front();
  auto fresh = caf::make_counted<service_target>(definition, store, env);
  own(system().spawn<host_actor>(fresh));
  auto x = std::make_shared<outcome>("");
  x->call->deadline = now() + 1s;
  x->call->entity =
    std::make_unique<entity_call>(entity_call{"counter", "k", "get"});
  submit_watched(env, *fresh, x->call, system(), nullptr);
  run();
  EXPECT_EQ(x->text(), "0");
}

// A slow call holds the key in the build before: what waits in the new one had
// no answer before that call had one.
TEST_F(service_test, answers_what_a_new_build_holds_back_when_its_host_ends) {
  auto running = begin("k", "add_later", "1");
  run();
  load_new_build();
  auto held = begin("k", "get");
  run();
  EXPECT_EQ(held->text(), "-");
  caf::anon_send_exit(hosts["counter"], caf::exit_reason::kill);
  run();
  EXPECT_EQ(held->text(), "shutting_down none");
  advance(2s);
  EXPECT_EQ(running->text(), "1");
}

// The build in between did not have the key, so it let go of it at once.
TEST_F(service_test, waits_for_a_call_in_the_build_before_the_last) {
  auto running = begin("k", "add_later", "1");
  run();
  load_new_build();
  load_new_build();
  auto last = begin("k", "increment", "1");
  run();
  EXPECT_EQ(last->text(), "-");
  advance(2s);
  EXPECT_EQ(running->text(), "1");
  EXPECT_EQ(last->text(), "2");
}

// The build in between held calls back that it then ran beside the last one.
TEST_F(service_test, runs_calls_of_three_builds_in_their_order) {
  ended(hosts["counter"]);
  auto one = begin("k", "add_later", "1");
  run();
  load_new_build();
  auto between = hosts["counter"];
  ended(between);
  auto two = begin("k", "add_later", "1");
  run();
  load_new_build();
  auto three = begin("k", "increment", "1");
  run();
  EXPECT_EQ(two->text() + three->text(), "--");
  advance(1s);
  EXPECT_EQ(one->text(), "1");
  EXPECT_EQ(two->text() + three->text(), "--");
  EXPECT_FALSE(ended(between));
  advance(1s);
  EXPECT_EQ(two->text(), "2");
  EXPECT_EQ(three->text(), "3");
  EXPECT_TRUE(ended(between));
}

TEST_F(service_test, serves_again_with_a_new_host) {
  call("k", "increment", "1");
  caf::anon_send_exit(hosts["counter"], caf::exit_reason::kill);
  run();
  own(system().spawn<host_actor>(service_target_ptr{&target()}));
  run();
  EXPECT_EQ(call("k", "get"), "1");
}

TEST_F(service_test, finishes_what_it_has_when_it_is_drained) {
  call("k", "get");
  store.held = true;
  auto change = begin("k", "increment", "1");
  auto behind = begin("k", "increment", "1");
  run();
  ended(hosts["counter"]);
  caf::anon_send(hosts["counter"], atom::drain::value);
  run();
  EXPECT_EQ(call("k", "get"), "shutting_down none");
  EXPECT_FALSE(ended(hosts["counter"]));
  store.release();
  run();
  EXPECT_EQ(change->text(), "1");
  EXPECT_EQ(behind->text(), "2");
  EXPECT_TRUE(ended(hosts["counter"]));
}

TEST_F(service_test, ends_at_once_when_it_is_drained_idle) {
  ended(hosts["counter"]);
  caf::anon_send(hosts["counter"], atom::drain::value);
  run();
  EXPECT_TRUE(ended(hosts["counter"]));
}

// -- what others see of it
// -----------------------------------------------------------------

TEST_F(service_test, describes_its_entities_and_the_methods_they_are_in) {
  call("idle", "get");
  begin("busy", "add_later", "1");
  begin("busy", "get");
  advance(5ms);
  auto tree = request<tree_node>(hosts["counter"], atom::describe::value);
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->kind, "host");
  EXPECT_EQ(tree->name, "counter");
  EXPECT_EQ(tree->queue, 1u);
  ASSERT_EQ(tree->children.size(), 2u);
  auto& busy = tree->children[0];
  EXPECT_EQ(busy.kind, "activation");
  EXPECT_EQ(busy.name, "busy");
  EXPECT_EQ(busy.handler, "add_later");
  EXPECT_EQ(busy.running_us, 5000);
  EXPECT_EQ(busy.queue, 1u);
  EXPECT_EQ(tree->children[1].name, "idle");
  EXPECT_EQ(tree->children[1].handler, "");
  advance(1s);
}

TEST_F(service_test, describes_so_many_entities_and_no_more) {
  for (int i = 0; i < 150; ++i)
    call("k" + std::to_string(i), "get");
  auto tree = request<tree_node>(hosts["counter"], atom::describe::value);
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->children.size(), host_actor::described_max);
  EXPECT_EQ(tree->children[0].name, "k149");
}

TEST_F(service_test, counts_calls_failures_and_how_long_they_took) {
  call("k", "increment", "1");
  call("k", "spoil", "1");
  begin("k", "add_later", "1");
  run();
  auto stats = target().stats();
  EXPECT_EQ(stats.calls, 2u);
  EXPECT_EQ(stats.failures, 1u);
  EXPECT_EQ(stats.in_flight, 1u);
  advance(1s);
  stats = target().stats();
  EXPECT_EQ(stats.calls, 3u);
  EXPECT_EQ(stats.busy_ns, 1'000'000'000u);
  EXPECT_EQ(stats.durations[0], 2u);
  EXPECT_EQ(stats.durations[20], 1u); // 2^19 to 2^20 us
  EXPECT_EQ(stats.in_flight, 0u);
  EXPECT_EQ(stats.queued, 0u);
}

} // namespace
} // namespace troupe
