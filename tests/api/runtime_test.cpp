// Troupe inside a program: real threads, no sockets.

#include <array>
#include <atomic>
#include <chrono>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include "nodes/runtime.hpp"
#include "nodes/testing_print.hpp" // as the other tests: one way to show a result

namespace {

using namespace std::chrono_literals;
using troupe::errc;

struct counter {
  int value = 0;

  int get() const { return value; }

  int increment(int by) { return value += by; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)
};

troupe::module shop() {
  troupe::module m;
  m.function("add", [](int a, int b) { return a + b; });
  m.function("greet", [](std::string who) { return "hello " + who; });
  m.function("nothing", [] {});
  m.function("fail", []() -> int { throw std::out_of_range("no such shelf"); });
  m.function("wait", [](troupe::context& ctx, int ms) -> troupe::task<int> {
    co_await ctx.sleep(std::chrono::milliseconds{ms});
    co_return ms;
  });
  m.function("twice", [](troupe::context& ctx, int x) -> troupe::task<int> {
    auto add = ctx.function<int(int, int)>("add");
    co_return co_await add(x, x);
  });
  m.function("visit", [](troupe::context& ctx, int who) -> troupe::task<int> {
    auto visits = ctx.entity<counter>("visits-" + std::to_string(who));
    co_return co_await visits.call(&counter::increment, 1);
  });
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment);
  return m;
}

TEST(runtime, calls_a_function_and_waits) {
  troupe::runtime rt{shop()};
  auto add = rt.function<int(int, int)>("add");
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(add(i, 1), i + 1);
}

TEST(runtime, converts_when_the_caller_has_other_types) {
  troupe::runtime rt{shop()};
  EXPECT_EQ(rt.function<int64_t(int64_t, short)>("add")(2, 3).value(), 5);
  auto wrong = rt.function<int(std::vector<int>)>("add")({1, 2, 3});
  EXPECT_EQ(wrong.error(), errc::bad_request);
  EXPECT_EQ(wrong.error().what_happened(), troupe::effect::none);
}

// -- locks --------------------------------------------------------------------

TEST(runtime, holds_a_lock_as_long_as_its_handle_lives) {
  troupe::runtime rt{shop()};
  {
    auto door = rt.lock("door");
    ASSERT_TRUE(door);
    EXPECT_EQ(door->name(), "door");
    EXPECT_EQ(door->token(), 1u);
    EXPECT_GT(door->expires(), std::chrono::system_clock::now());
    auto second = rt.lock("door", {.wait = 20ms});
    EXPECT_EQ(second.error(), errc::lock_held);
    EXPECT_EQ(second.error().what_happened(), troupe::effect::none);
    auto moved = std::move(*door);
    EXPECT_EQ(moved.token(), 1u);
    EXPECT_EQ(rt.lock("door").error(), errc::lock_held);
  }
  EXPECT_EQ(rt.lock("door", {.wait = 10s})->token(), 2u);
}

TEST(runtime, gives_a_lock_to_a_thread_that_waits_for_it) {
  troupe::runtime rt{shop()};
  auto door = rt.lock("door", {.ttl = 15min});
  std::thread other{[&] {
    auto mine = rt.lock("door", {.wait = 1min});
    ASSERT_TRUE(mine);
    EXPECT_EQ(mine->token(), 2u);
  }};
  EXPECT_TRUE(door->release());
  other.join();
}

TEST(runtime, renews_a_lock_and_hears_that_it_was_lost) {
  troupe::runtime rt{shop()};
  auto door = rt.lock("door", {.ttl = 1ms});
  auto other = rt.lock("door", {.ttl = 1min, .wait = 1min});
  EXPECT_EQ(other->token(), 2u);
  EXPECT_EQ(door->renew().error(), errc::lock_held);
  EXPECT_EQ(door->release().error(), errc::lock_held);
  EXPECT_TRUE(door->release()) << "there is nothing left to release";
  auto before = other->expires();
  EXPECT_TRUE(other->renew(10min));
  EXPECT_GT(other->expires(), before + 8min);
  EXPECT_EQ(other->renew(1h).error(), errc::bad_request);
  EXPECT_TRUE(other->release());
  EXPECT_EQ(other->renew().error(), errc::lock_held);
}

TEST(runtime, calls_an_entity_under_a_lock) {
  troupe::runtime rt{shop()};
  auto visits = rt.entity<counter>("k");
  auto door = rt.lock("door");
  auto proof = door->proof();
  EXPECT_EQ(visits.call({.locks = {proof}}, &counter::increment, 2), 2);
  EXPECT_TRUE(door->release());
  auto late = visits.call({.locks = {proof}}, &counter::increment, 2);
  EXPECT_EQ(late.error(), errc::lock_held);
  EXPECT_EQ(late.error().what_happened(), troupe::effect::none);
  EXPECT_EQ(visits.call(&counter::get), 2);
  EXPECT_EQ(visits.call({.locks = {{"a b", 1}}}, &counter::get).error(),
            errc::bad_request);
  EXPECT_EQ(visits.call({.locks = {{"door", 0}}}, &counter::get).error(),
            errc::bad_request);
  EXPECT_EQ(rt.erase("counter", "k", {.locks = {proof}}).error(),
            errc::lock_held);
}

TEST(runtime, refuses_a_lock_that_makes_no_sense) {
  troupe::runtime rt{shop()};
  EXPECT_EQ(rt.lock("").error(), errc::bad_request);
  EXPECT_EQ(rt.lock("door", {.ttl = 0ms}).error(), errc::bad_request);
  EXPECT_EQ(rt.lock("door", {.wait = 1h}).error(), errc::bad_request);
}

TEST(runtime, hands_strings_over_raw) {
  troupe::runtime rt{shop()};
  EXPECT_EQ(rt.function<std::string(std::string)>("greet")("you").value(),
            "hello you");
}

TEST(runtime, calls_what_takes_and_gives_nothing) {
  troupe::runtime rt{shop()};
  EXPECT_TRUE(rt.function<void()>("nothing")());
}

TEST(runtime, says_what_a_handler_threw) {
  troupe::runtime rt{shop()};
  auto fail = rt.function<int()>("fail");
  for (int i = 0; i < 100; ++i) {
    auto result = fail();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().type(), "std::out_of_range");
    EXPECT_EQ(result.error().message(), "no such shelf");
    EXPECT_EQ(result.error().what_happened(), troupe::effect::ran);
  }
}

TEST(runtime, ends_a_blocking_call_at_its_deadline) {
  troupe::runtime rt{shop()};
  auto result = rt.function<int(int)>("wait").timeout(20ms)(60'000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), errc::deadline_exceeded);
  EXPECT_EQ(result.error().what_happened(), troupe::effect::unknown);
}

TEST(runtime, gives_futures_whose_answers_come_later) {
  troupe::runtime rt{shop()};
  auto wait = rt.function<int(int)>("wait");
  std::vector<troupe::future<int>> pending;
  for (int i = 0; i < 20; ++i)
    pending.push_back(wait.call(i));
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(pending[static_cast<size_t>(i)].get(), i);
}

TEST(runtime, ends_a_future_at_its_deadline) {
  troupe::runtime rt{shop()};
  auto result = rt.function<int(int)>("wait").timeout(20ms).call(60'000);
  EXPECT_EQ(result.get().error(), errc::deadline_exceeded);
}

TEST(runtime, forgets_a_future_that_nobody_waits_for) {
  troupe::runtime rt{shop()};
  auto wait = rt.function<int(int)>("wait");
  {
    auto dropped = wait.call(60'000);
    EXPECT_FALSE(dropped.ready());
  }
  EXPECT_EQ(wait(1), 1);
}

TEST(runtime, answers_a_caf_actor_as_a_request_would) {
  troupe::runtime rt{shop()};
  auto add = rt.function<int(int, int)>("add");
  auto fail = rt.function<int()>("fail");
  auto asker = rt.system().spawn(
    [=](caf::event_based_actor*) mutable { return caf::behavior{}; });
  caf::scoped_actor self{rt.system()};
  auto worker = self->spawn([add, fail](caf::event_based_actor* me) mutable {
    return caf::behavior{
      [me, add, fail](int x) mutable {
        auto promise = me->make_response_promise<int>();
        add.request(me, x, 1).then(
          [promise](int sum) mutable { promise.deliver(sum); },
          [promise](caf::error& e) mutable { promise.deliver(e); });
        return promise;
      },
      [me, fail](std::string) mutable {
        auto promise = me->make_response_promise<std::string>();
        fail.request(me).then(
          [promise](int) mutable { promise.deliver(std::string{"no error"}); },
          [promise](caf::error& e) mutable {
            promise.deliver(std::string{troupe::to_error(e).type()});
          });
        return promise;
      },
    };
  });
  self->request(worker, 5s, 4)
    .receive([](int sum) { EXPECT_EQ(sum, 5); }, [](caf::error&) { FAIL(); });
  self->request(worker, 5s, std::string{"fail"})
    .receive([](std::string& type) { EXPECT_EQ(type, "std::out_of_range"); },
             [](caf::error&) { FAIL(); });
  self->send_exit(worker, caf::exit_reason::user_shutdown);
  self->send_exit(asker, caf::exit_reason::user_shutdown);
}

TEST(runtime, calls_from_a_handler_hold_no_thread) {
  troupe::runtime rt{shop()};
  // More of them than there are threads, each waiting for another call.
  auto twice = rt.function<int(int)>("twice");
  std::vector<troupe::future<int>> pending;
  for (int i = 0; i < 200; ++i)
    pending.push_back(twice.call(i));
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(pending[static_cast<size_t>(i)].get(), 2 * i);
}

caf::behavior ticker(caf::event_based_actor* self) {
  return {
    [self, ticks = 0](int by) mutable {
      if (by < 0)
        self->quit(caf::sec::runtime_error);
      return ticks += by;
    },
  };
}

TEST(runtime, reaches_an_exposed_actor_like_a_function_and_by_its_handle) {
  auto content = shop();
  content.expose(
    "ticker", [](caf::actor_system& sys) { return sys.spawn(ticker); },
    troupe::signature<int(int)>{});
  troupe::runtime rt{content};
  auto tick = rt.function<int(int)>("ticker");
  EXPECT_EQ(tick(2), 2);
  EXPECT_EQ(tick(3), 5);
  caf::scoped_actor self{rt.system()};
  self->request(rt.actor("ticker"), 5s, 4)
    .receive([](int ticks) { EXPECT_EQ(ticks, 9); },
             [](caf::error&) { FAIL(); });
  EXPECT_EQ(rt.actor("nobody"), caf::actor{});
}

TEST(runtime, restarts_an_exposed_actor_that_died) {
  auto content = shop();
  content.expose(
    "ticker", [](caf::actor_system& sys) { return sys.spawn(ticker); },
    troupe::signature<int(int)>{});
  troupe::runtime rt{content};
  auto tick = rt.function<int(int)>("ticker");
  EXPECT_EQ(tick(2), 2);
  static_cast<void>(tick(-1));
  // Some calls may still meet the end of the old one.
  auto ticks = tick(7);
  while (!ticks && ticks.error() == errc::instance_lost)
    ticks = tick(7);
  EXPECT_EQ(ticks, 7);
}

TEST(runtime, keeps_the_state_of_entities) {
  troupe::runtime rt{shop()};
  auto visits = rt.entity<counter>("visits");
  EXPECT_EQ(visits.call(&counter::increment, 2), 2);
  EXPECT_EQ(visits.call(&counter::increment, 3), 5);
  EXPECT_EQ(visits.call(&counter::get), 5);
  EXPECT_EQ(rt.entity<counter>("others").call(&counter::get), 0);
}

TEST(runtime, gives_a_repeat_the_first_answer) {
  troupe::runtime rt{shop()};
  auto visits = rt.entity<counter>("visits");
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(visits.call({.idempotency_key = "k1"}, &counter::increment, 2),
              2);
  EXPECT_EQ(visits.call(&counter::get), 2);
  EXPECT_EQ(
    visits.call({.idempotency_key = "k1"}, &counter::increment, 3).error(),
    errc::idempotency_conflict);
  for (auto& bad : {std::string{"a b"}, std::string(256, 'k')})
    EXPECT_EQ(
      visits.call({.idempotency_key = bad}, &counter::increment, 1).error(),
      errc::bad_request);
  EXPECT_EQ(visits.call(&counter::get), 2);
}

TEST(runtime, calls_an_entity_at_the_revision_that_it_has_seen) {
  troupe::runtime rt{shop()};
  auto visits = rt.entity<counter>("visits");
  EXPECT_EQ(visits.revision(), std::nullopt);
  EXPECT_EQ(visits.call(&counter::increment, 2), 2);
  ASSERT_EQ(visits.revision(), 1u);
  auto seen = troupe::revision_tag(*visits.revision());
  EXPECT_EQ(visits.call({.if_match = seen}, &counter::increment, 2), 4);
  troupe::call_options again{.if_match = seen};
  EXPECT_EQ(visits.call(again, &counter::increment, 2).error(),
            errc::revision_mismatch);
  EXPECT_EQ(visits.call(&counter::get), 4);
}

TEST(runtime, lists_reads_replaces_and_deletes_what_is_stored) {
  troupe::runtime rt{shop()};
  for (auto key : {"a", "user/1", "user/2", "user/3"})
    EXPECT_EQ(rt.entity<counter>(key).call(&counter::increment, 7), 7);
  auto page = rt.keys("counter", {.prefix = "user/", .limit = 2});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->entities.size(), 2u);
  EXPECT_EQ(page->entities[1].key, "user/2");
  ASSERT_EQ(page->next, "user/2");
  page = rt.keys("counter", {.prefix = "user/", .after = *page->next});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->entities.size(), 1u);
  EXPECT_EQ(page->next, std::nullopt);

  auto state = rt.state("counter", "a");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->state, R"({"value":7})");
  EXPECT_EQ(state->revision, 1u);
  ASSERT_TRUE(rt.replace("counter", "b", *state));
  EXPECT_EQ(rt.entity<counter>("b").call(&counter::get), 7);
  EXPECT_EQ(rt.replace("counter", "b", {0, "{}", 1}).error(),
            errc::bad_request);
  EXPECT_EQ(rt.replace("counter", "b", *state, {.if_match = "\"9\""}).error(),
            errc::revision_mismatch);

  ASSERT_TRUE(rt.erase("counter", "a"));
  EXPECT_EQ(rt.state("counter", "a").error(), errc::not_found);
  EXPECT_EQ(rt.erase("counter", "a").error(), errc::not_found);
  EXPECT_EQ(rt.entity<counter>("a").call(&counter::get), 0);

  EXPECT_EQ(rt.keys("nobody").error(), errc::not_found);
  EXPECT_EQ(rt.state("nobody", "a").error(), errc::not_found);
  EXPECT_EQ(rt.erase("nobody", "a").error(), errc::not_found);
  EXPECT_EQ(rt.erase("counter", "").error(), errc::bad_request);
  EXPECT_EQ(rt.keys("counter", {.limit = 0}).error(), errc::bad_request);
}

TEST(runtime, replaces_and_deletes_an_entity_by_its_handle) {
  troupe::runtime rt{shop()};
  auto visits = rt.entity<counter>("visits");
  EXPECT_EQ(visits.erase().error(), errc::not_found);
  ASSERT_TRUE(visits.replace(counter{5}));
  EXPECT_EQ(visits.call(&counter::increment, 1), 6);
  EXPECT_EQ(visits.erase({.if_match = "\"1\""}).error(),
            errc::revision_mismatch);
  ASSERT_TRUE(visits.erase());
  EXPECT_EQ(visits.revision(), 3u);
  EXPECT_EQ(visits.call(&counter::get), 0);
}

TEST(runtime, serves_many_threads_at_once) {
  troupe::runtime rt{shop()};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&rt, &wrong, t] {
      auto add = rt.function<int(int, int)>("add");
      auto hits = rt.entity<counter>("hits");
      for (int i = 0; i < 5000; ++i)
        if (!(add(i, t) == i + t))
          ++wrong;
      for (int i = 0; i < 50; ++i)
        if (!hits.call(&counter::increment, 1))
          ++wrong;
    });
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(rt.entity<counter>("hits").call(&counter::get), 200);
}

TEST(runtime, keeps_every_visit_whoever_brings_it) {
  constexpr auto threads = 4;
  constexpr auto entities = 8;
  constexpr auto rounds = 25;
  troupe::runtime rt{shop()};
  std::atomic<int> wrong{0};
  std::vector<std::thread> visitors;
  for (int t = 0; t < threads; ++t)
    visitors.emplace_back([&rt, &wrong] {
      auto visit = rt.function<int(int)>("visit");
      for (int i = 0; i < rounds; ++i) {
        std::vector<troupe::future<int>> pending;
        for (int who = 0; who < entities; ++who)
          pending.push_back(visit.call(who));
        for (auto& x : pending)
          wrong += !x.get();
      }
    });
  for (auto& x : visitors)
    x.join();
  EXPECT_EQ(wrong, 0);
  for (int who = 0; who < entities; ++who)
    EXPECT_EQ(
      rt.entity<counter>("visits-" + std::to_string(who)).call(&counter::get),
      threads * rounds);
}

TEST(runtime, answers_the_calls_that_are_in_flight_when_it_stops) {
  std::vector<troupe::future<int>> pending;
  {
    troupe::runtime rt{shop()};
    auto wait = rt.function<int(int)>("wait");
    auto visit = rt.function<int(int)>("visit");
    for (int i = 0; i < 50; ++i) {
      pending.push_back(wait.call(60'000));
      pending.push_back(visit.call(i % 4));
    }
  }
  for (auto& x : pending) {
    ASSERT_TRUE(x.ready());
    auto result = x.get();
    EXPECT_TRUE(result || result.error() == errc::shutting_down
                || result.error() == errc::instance_lost)
      << result.error().to_json();
  }
}

TEST(runtime, answers_not_found_for_a_name_that_nobody_brought) {
  troupe::runtime rt{shop()};
  EXPECT_EQ(rt.function<int()>("nobody")().error(), errc::not_found);
  EXPECT_EQ(rt.function<int()>("nobody").call().get().error(), errc::not_found);
}

// -- durable calls -----------------------------------------------------------

/// What became of it, once it is over.
troupe::work_view outcome(troupe::runtime& rt, const troupe::queued_call& job) {
  for (auto until = std::chrono::steady_clock::now() + 10s;;
       std::this_thread::sleep_for(1ms)) {
    auto x = rt.queued(job.id);
    if (!x)
      throw troupe::error_exception{x.error()};
    if ((x->state != troupe::work_state::waiting
         && x->state != troupe::work_state::claimed)
        || std::chrono::steady_clock::now() > until)
      return *x;
  }
}

TEST(runtime, queues_calls_and_says_what_became_of_them) {
  troupe::runtime rt{shop()};
  auto add = rt.function<int(int, int)>("add");
  auto job = add.async(1, 2, {.idempotency_key = "k1"});
  ASSERT_TRUE(job) << job.error().to_json();
  auto x = outcome(rt, *job);
  EXPECT_EQ(x.state, troupe::work_state::succeeded);
  EXPECT_EQ(x.answer.bytes, "3");
  EXPECT_EQ(add.async(1, 2, {.idempotency_key = "k1"})->id, job->id);
  EXPECT_EQ(add.async(1, 3, {.idempotency_key = "k1"}).error(),
            errc::idempotency_conflict);
}

TEST(runtime, queues_calls_of_entities) {
  troupe::runtime rt{shop()};
  auto hits = rt.entity<counter>("hits");
  auto job = hits.async(&counter::increment, 2);
  ASSERT_TRUE(job) << job.error().to_json();
  EXPECT_EQ(outcome(rt, *job).answer.bytes, "2");
  auto later = hits.async({.delay = 1h}, &counter::increment, 5);
  ASSERT_TRUE(later);
  EXPECT_EQ(rt.queued(later->id)->state, troupe::work_state::waiting);
  EXPECT_EQ(rt.state("counter", "hits")->state, R"({"value":2})");
}

TEST(runtime, queues_nothing_that_makes_no_sense) {
  troupe::runtime rt{shop()};
  auto add = rt.function<int(int, int)>("add");
  EXPECT_EQ(add.async(1, 2, {.idempotency_key = "\n"}).error(),
            errc::bad_request);
  EXPECT_EQ(add.async(1, 2, {.delay = -1ms}).error(), errc::bad_request);
  EXPECT_EQ(add.async(1, 2, {.priority = 10}).error(), errc::bad_request);
  EXPECT_EQ(rt.function<int()>("nobody").async().error(), errc::not_found);
  EXPECT_EQ(rt.entity<counter>("").async(&counter::increment, 1).error(),
            errc::bad_request);
  EXPECT_EQ(rt.queued({1, 2}).error(), errc::not_found);
}

// -- map ---------------------------------------------------------------------

TEST(runtime, maps_a_function_over_inputs_and_keeps_their_order) {
  troupe::runtime rt{shop()};
  std::vector<int> inputs(2'000);
  std::iota(inputs.begin(), inputs.end(), 0);
  auto waits = rt.map<int>("wait", std::vector<int>{30, 20, 10, 0});
  ASSERT_EQ(waits.size(), 4u);
  EXPECT_EQ(waits[0], 30);
  EXPECT_EQ(waits[3], 0);
  auto twice = rt.map<int>("twice", inputs, {.parallel = 5});
  ASSERT_EQ(twice.size(), inputs.size());
  for (int i = 0; i < 2'000; ++i)
    ASSERT_EQ(twice[static_cast<size_t>(i)], 2 * i);
}

TEST(runtime, maps_tuples_as_several_arguments_and_literals_as_strings) {
  troupe::runtime rt{shop()};
  std::vector<std::tuple<int, int>> pairs{{1, 2}, {3, 4}};
  auto sums = rt.map<int>("add", pairs);
  EXPECT_EQ(sums.at(0), 3);
  EXPECT_EQ(sums.at(1), 7);
  std::array<const char*, 2> names{"you", "me"};
  auto greetings = rt.map<std::string>("greet", names);
  EXPECT_EQ(greetings.at(0).value(), "hello you");
  EXPECT_EQ(greetings.at(1).value(), "hello me");
  auto nothing = rt.map<void>("nothing", std::vector<std::tuple<>>(3));
  ASSERT_EQ(nothing.size(), 3u);
  EXPECT_TRUE(nothing[2]);
  EXPECT_TRUE(rt.map<int>("add", std::vector<std::tuple<int, int>>{}).empty());
}

TEST(runtime, maps_a_method_over_keys) {
  troupe::runtime rt{shop()};
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i)
    keys.push_back("k" + std::to_string(i));
  for (int round = 1; round <= 3; ++round)
    for (auto& x : rt.map({.parallel = 100}, &counter::increment, keys, 2))
      ASSERT_EQ(x, 2 * round);
  for (auto& x : rt.map(&counter::get, keys))
    ASSERT_EQ(x, 6);
  keys[1] = "";
  auto some = rt.map(&counter::get, keys);
  EXPECT_EQ(some[0], 6);
  EXPECT_EQ(some[1].error(), errc::bad_request);
}

TEST(runtime, says_of_each_input_of_a_map_what_became_of_it) {
  troupe::runtime rt{shop()};
  auto begin = std::chrono::steady_clock::now();
  auto late = rt.map<int>("wait", std::vector<int>{0, 60'000, 60'000, 60'000},
                          {.parallel = 2, .timeout = 50ms});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_EQ(late[0], 0);
  for (size_t i : {1, 2, 3})
    ASSERT_EQ(late[i].error(), errc::deadline_exceeded);
  EXPECT_EQ(late[1].error().what_happened(), troupe::effect::unknown);
  EXPECT_EQ(late[3].error().what_happened(), troupe::effect::none);
  auto failed = rt.map<int>("fail", std::vector<std::tuple<>>(2));
  EXPECT_EQ(failed[1].error().type(), "std::out_of_range");
  EXPECT_EQ(rt.map<int>("nobody", std::vector<int>{1})[0].error(),
            errc::not_found);
  for (size_t parallel : {0, 1025})
    EXPECT_EQ(
      rt.map<int>("wait", std::vector<int>{1}, {.parallel = parallel})[0]
        .error(),
      errc::bad_request);
  EXPECT_EQ(
    rt.map<int>("wait", std::vector<int>{1}, {.timeout = 901s})[0].error(),
    errc::bad_request);
}

} // namespace
