// The test kit that users get, used as they would: virtual time, no sockets.

#include <chrono>
#include <stdexcept>

#include <gtest/gtest.h>

#include "nodes/testing.hpp"

namespace {

using namespace std::chrono_literals;
using troupe::errc;

struct counter {
  int value = 0;

  int get() const { return value; }

  int increment(int by) { return value += by; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)
};

/// Asks after an order, and is told of it.
struct orders {
  int open = 0;
  int asked = 0;

  void place(troupe::context& ctx) {
    ++open;
    ctx.entity<counter>("placed").send(&counter::increment, 1);
    ctx.remind("ask", 24h, &orders::ask);
  }

  void ask(troupe::context& ctx) {
    ++asked;
    ctx.remind("ask", 24h, &orders::ask);
  }

  void close(troupe::context& ctx) {
    open = 0;
    ctx.forget("ask");
  }

  int times_asked() const { return asked; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(orders, open, asked)
};

troupe::module shop() {
  troupe::module m;
  m.service<orders>("orders")
    .method("place", &orders::place)
    .method("ask", &orders::ask)
    .method("close", &orders::close)
    .method("times_asked", &orders::times_asked);
  m.function("add", [](int a, int b) { return a + b; });
  m.function("visit", [](troupe::context& ctx, int by) -> troupe::task<int> {
    co_return co_await ctx.entity<counter>("visits").call(&counter::increment,
                                                          by);
  });
  m.function("slow",
             [](troupe::context& ctx, int ms) -> troupe::task<int> {
               co_await ctx.sleep(std::chrono::milliseconds{ms});
               co_return co_await ctx.function<int(int, int)>("add")(ms, 1);
             })
    .timeout(10s);
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment);
  return m;
}

TEST(testing_bench, counts_visits) {
  troupe::testing::bench t{shop()};
  EXPECT_EQ(t.call<int>("visit", 4), 4);
  t.refuse_next_commit();
  EXPECT_EQ(t.call<int>("visit", 4).error(), errc::not_owner);
  EXPECT_EQ(t.call<int>("visit", 3), 7);
}

TEST(testing_bench, calls_entities_of_their_own) {
  troupe::testing::bench t{shop()};
  EXPECT_EQ(t.call_entity(&counter::increment, "a", 2), 2);
  EXPECT_EQ(t.call_entity(&counter::increment, "b", 3), 3);
  EXPECT_EQ(t.call_entity(&counter::get, "a"), 2);
}

TEST(testing_bench, does_what_is_sent_and_reminds_in_virtual_time) {
  troupe::testing::bench t{shop()};
  ASSERT_TRUE(t.call_entity(&orders::place, "o1"));
  t.advance(1s);
  EXPECT_EQ(t.call_entity(&counter::get, "placed"), 1);
  t.advance(23h);
  EXPECT_EQ(t.call_entity(&orders::times_asked, "o1"), 0);
  t.advance(1h);
  EXPECT_EQ(t.call_entity(&orders::times_asked, "o1"), 1);
  t.advance(24h + 1s);
  EXPECT_EQ(t.call_entity(&orders::times_asked, "o1"), 2);
  ASSERT_TRUE(t.call_entity(&orders::close, "o1"));
  t.advance(48h);
  EXPECT_EQ(t.call_entity(&orders::times_asked, "o1"), 2);
}

TEST(testing_bench, sends_nothing_with_a_commit_that_is_refused) {
  troupe::testing::bench t{shop()};
  t.refuse_next_commit();
  EXPECT_EQ(t.call_entity(&orders::place, "o1").error(), errc::not_owner);
  t.advance(25h);
  EXPECT_EQ(t.call_entity(&counter::get, "placed"), 0);
  EXPECT_EQ(t.call_entity(&orders::times_asked, "o1"), 0);
}

TEST(testing_bench, has_locks_in_virtual_time) {
  troupe::testing::bench t{shop()};
  auto door = t.lock("door", {.ttl = 10s});
  EXPECT_EQ(door->token, 1u);
  EXPECT_EQ(t.call_entity({.locks = {*door}}, &counter::increment, "a", 2), 2);
  EXPECT_EQ(t.lock("door", {.wait = 5s}).error(), errc::lock_held);
  auto next = t.lock("door", {.wait = 5min});
  EXPECT_EQ(next->token, 2u);
  EXPECT_EQ(
    t.call_entity({.locks = {*door}}, &counter::increment, "a", 2).error(),
    errc::lock_held);
  EXPECT_EQ(t.release(*door).error(), errc::lock_held);
  EXPECT_TRUE(t.release(*next));
  EXPECT_EQ(t.call_entity(&counter::get, "a"), 2);
}

TEST(testing_bench, takes_no_real_time_for_a_call_that_sleeps) {
  troupe::testing::bench t{shop()};
  auto before = t.now();
  EXPECT_EQ(t.call<int>("slow", 9000), 9001);
  EXPECT_GE(t.now() - before, 9s);
}

TEST(testing_bench, ends_a_call_at_its_deadline) {
  troupe::testing::bench t{shop()};
  auto before = t.now();
  auto late = t.call<int>("slow", 20000);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), errc::deadline_exceeded);
  EXPECT_EQ(late.error().what_happened(), troupe::effect::unknown);
  EXPECT_GE(t.now() - before, 10s);
  EXPECT_LT(t.now() - before, 11s);
}

TEST(testing_bench, shows_a_store_that_fails) {
  troupe::testing::bench t{shop()};
  t.fail_next_commit();
  EXPECT_EQ(t.call_entity(&counter::increment, "a", 2).error(),
            errc::store_unavailable);
  EXPECT_EQ(t.call_entity(&counter::get, "a"), 0);
}

TEST(testing_bench, finds_out_what_became_of_a_lost_commit) {
  troupe::testing::bench t{shop()};
  t.lose_next_outcome();
  EXPECT_EQ(t.call_entity(&counter::increment, "a", 2), 2);
  EXPECT_EQ(t.call_entity(&counter::get, "a"), 2);
}

TEST(testing_bench, shows_what_is_stored) {
  troupe::testing::bench t{shop()};
  EXPECT_EQ(t.call_entity(&counter::increment, "a", 2), 2);
  EXPECT_EQ(t.call_entity(&counter::get, "b"), 0);
  auto page = t.keys("counter");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->entities.size(), 1u);
  EXPECT_EQ(page->entities[0].key, "a");
  EXPECT_EQ(t.state("counter", "a")->state, R"({"value":2})");
  EXPECT_EQ(t.state("counter", "b").error(), errc::not_found);
  EXPECT_EQ(t.state("nobody", "b").error(), errc::not_found);
}

TEST(testing_bench, begins_with_the_state_that_a_test_gives_it) {
  troupe::testing::bench t{shop()};
  ASSERT_TRUE(t.replace("counter", "a", {0, R"({"value":40})", 1}));
  EXPECT_EQ(t.call_entity(&counter::increment, "a", 2), 42);
  ASSERT_TRUE(t.erase("counter", "a"));
  EXPECT_EQ(t.call_entity(&counter::get, "a"), 0);
  t.fail_next_commit();
  EXPECT_EQ(t.replace("counter", "a", {0, R"({"value":1})", 1}).error(),
            errc::store_unavailable);
}

TEST(testing_bench, repeats_a_call_whose_outcome_was_lost) {
  troupe::testing::bench t{shop()};
  for (int i = 0; i < 2; ++i) {
    t.fail_next_commit();
    EXPECT_EQ(
      t.call_entity({.idempotency_key = "1"}, &counter::increment, "a", 2)
        .error(),
      errc::store_unavailable);
  }
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(
      t.call_entity({.idempotency_key = "1"}, &counter::increment, "a", 2), 2);
  EXPECT_EQ(t.call_entity({.if_match = "\"9\""}, &counter::get, "a").error(),
            errc::revision_mismatch);
}

TEST(testing_bench, says_that_a_name_is_unknown) {
  troupe::testing::bench t{shop()};
  EXPECT_EQ(t.call<int>("nobody").error(), errc::not_found);
}

} // namespace

namespace {

TEST(testing_bench, takes_a_literal_for_a_string) {
  auto content = shop();
  content.function("greet", [](std::string who) { return "hello " + who; });
  troupe::testing::bench t{content};
  EXPECT_EQ(t.call<std::string>("greet", "you"), std::string{"hello you"});
}

TEST(testing_bench, refuses_two_services_of_one_class) {
  auto content = shop();
  EXPECT_THROW(content.service<counter>("another"), std::invalid_argument);
}

} // namespace
