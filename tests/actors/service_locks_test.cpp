// A call that shows a lock has its effect only if the lock is held when it is
// committed; and nobody else pays for a lock that is not.

#include <gmock/gmock.h>

#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

using fate = testing::test_store::fate;

struct account {
  int balance = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(account, balance)

  int get() const { return balance; }

  int add(int by) { return balance += by; }

  int spend(int) { throw std::runtime_error{"never"}; }

  task<int> add_slowly(context& ctx, int by) {
    balance += by;
    co_await ctx.sleep(1s);
    co_return balance;
  }

  task<int> pay(context& ctx, text to, int sum) {
    auto there =
      co_await ctx.entity<account>(to.value).call(&account::add, sum);
    balance -= sum;
    co_return there;
  }

  task<int> pay_under(context& ctx, text to, int sum, int token) {
    std::vector<lock_proof> held{{"door", static_cast<uint64_t>(token)}};
    auto there = ctx.entity<account>(to.value);
    there.holding(held);
    co_return co_await there.call(&account::add, sum);
  }
};

module bank() {
  module m;
  m.service<account>("account")
    .method("get", &account::get)
    .method("add", &account::add)
    .method("spend", &account::spend)
    .method("add_slowly", &account::add_slowly)
    .method("pay", &account::pay)
    .method("pay_under", &account::pay_under);
  return m;
}

const std::vector<lock_proof> door{{"door", 7}};

class locks_test : public service_fixture {
protected:
  locks_test() : service_fixture(bank()) { store.held_locks["door"] = 7; }

  static entity_call to(std::string key, std::string method,
                        std::vector<lock_proof> locks = {}) {
    entity_call result{"account", std::move(key), std::move(method)};
    result.locks = std::move(locks);
    return result;
  }

  outcome_ptr ask(std::vector<lock_proof> locks, std::string method,
                  std::string body = {}) {
    return begin(to("a", std::move(method), std::move(locks)), std::move(body),
                 30s);
  }

  std::string get(std::vector<lock_proof> locks, std::string method,
                  std::string body = {}) {
    return call(to("a", std::move(method), std::move(locks)), std::move(body));
  }

  std::string stored(const std::string& key = "a") {
    auto& x = store.entities[{"account", key}];
    return std::to_string(x.revision) + " " + x.state;
  }

  void lose() { store.held_locks["door"] = 8; }
};

// -- one call ----------------------------------------------------------------

TEST_F(locks_test, commits_a_change_under_the_locks_that_the_call_shows) {
  EXPECT_EQ(get(door, "add", "3"), "3");
  EXPECT_EQ(store.shown, door);
  EXPECT_EQ(stored(), R"(1 {"balance":3})");
  EXPECT_EQ(get({}, "add", "3"), "6");
  EXPECT_TRUE(store.shown.empty());
}

TEST_F(locks_test, a_change_under_a_lost_lock_never_was) {
  get({}, "add", "1");
  lose();
  EXPECT_EQ(get(door, "add", "3"), "lock_held none");
  EXPECT_EQ(stored(), R"(1 {"balance":1})");
  EXPECT_EQ(get({}, "get"), "1");
  EXPECT_EQ(get({{"door", 8}}, "add", "3"), "4");
}

TEST_F(locks_test, says_which_locks_are_lost) {
  lose();
  auto x = ask(door, "add", "3");
  run();
  EXPECT_THAT(x->call->failure()->message(), ::testing::HasSubstr("door=7"));
}

TEST_F(locks_test, a_call_that_changes_nothing_is_checked_as_well) {
  get({}, "add", "1");
  EXPECT_EQ(get(door, "get"), "1");
  EXPECT_EQ(get(door, "add", "0"), "1");
  auto commits = store.commits;
  lose();
  EXPECT_EQ(get(door, "get"), "lock_held none");
  EXPECT_EQ(get(door, "add", "0"), "lock_held none");
  EXPECT_EQ(store.commits, commits + 2);
  EXPECT_EQ(stored(), R"(1 {"balance":1})");
}

TEST_F(locks_test, an_error_of_the_handlers_needs_no_lock) {
  lose();
  EXPECT_EQ(get(door, "spend", "1"), "std::runtime_error ran");
}

TEST_F(locks_test, a_state_is_replaced_and_erased_under_a_lock) {
  auto replace = to("a", "", door);
  replace.operation = entity_operation::replace;
  auto erase = to("a", "", door);
  erase.operation = entity_operation::erase;
  EXPECT_EQ(call(replace, R"({"balance":5})"), "null");
  lose();
  EXPECT_EQ(call(replace, R"({"balance":6})"), "lock_held none");
  EXPECT_EQ(call(replace, R"({"balance":5})"), "lock_held none");
  EXPECT_EQ(call(erase, ""), "lock_held none");
  EXPECT_EQ(stored(), R"(1 {"balance":5})");
  store.held_locks["door"] = 7;
  EXPECT_EQ(call(erase, ""), "null");
  EXPECT_EQ(stored(), "2 ");
}

TEST_F(locks_test, is_refused_by_a_store_that_has_none) {
  store.has_locks = false;
  EXPECT_EQ(get(door, "add", "3"), "not_implemented none");
  EXPECT_EQ(store.commits, 0u);
}

// -- calls beside it ---------------------------------------------------------

TEST_F(locks_test, calls_that_show_the_same_locks_share_a_commit) {
  get({}, "get");
  store.held = true;
  std::vector<outcome_ptr> calls;
  for (int i = 0; i < 10; ++i)
    calls.push_back(ask(door, "add", "1"));
  run();
  store.release(1);
  run();
  store.release();
  run();
  EXPECT_EQ(store.commits, 2u);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(calls[i]->text(), std::to_string(i + 1));
}

// The promise: whoever shows no lock, or another one, does not fail for it.
TEST_F(locks_test, nobody_else_sees_what_is_not_durable) {
  get({}, "add", "1");
  store.held_locks["gate"] = 1;
  store.held = true;
  auto before = ask({}, "add", "10");
  auto lost = ask(door, "add", "100");
  auto beside = ask({}, "add", "1000");
  auto reader = ask({}, "get");
  auto other = ask({{"gate", 1}}, "add", "10000");
  lose();
  for (int i = 0; i < 10; ++i) {
    run();
    store.release(1);
  }
  run();
  EXPECT_EQ(before->text(), "11");
  EXPECT_EQ(lost->text(), "lock_held none");
  EXPECT_EQ(beside->text(), "1011");
  EXPECT_EQ(reader->text(), "1011");
  EXPECT_EQ(other->text(), "11011");
  EXPECT_EQ(stored(), R"(4 {"balance":11011})");
}

TEST_F(locks_test, all_that_show_a_lost_lock_fail_together) {
  get({}, "add", "1");
  store.held = true;
  auto one = ask(door, "add", "10");
  auto two = ask(door, "add", "100");
  auto three = ask(door, "add_slowly", "1000");
  run();
  lose();
  store.release();
  run();
  for (auto& x : {one, two, three})
    EXPECT_EQ(x->text(), "lock_held none");
  EXPECT_EQ(get({}, "get"), "1");
}

TEST_F(locks_test, takes_turns_with_those_who_show_none) {
  for (int i = 0; i < 20; ++i)
    ask(i % 3 == 0 ? door : std::vector<lock_proof>{}, "add", "1");
  run();
  EXPECT_EQ(get({}, "get"), "20");
}

TEST_F(locks_test,
       a_call_is_bound_also_when_the_change_before_it_is_on_its_way) {
  get({}, "add", "1");
  store.held = true;
  auto writer = ask(door, "add", "1");
  run();
  auto reader = ask(door, "get"); // sees what the commit under way has taken
  run();
  store.release(1);
  lose();
  run();
  EXPECT_EQ(writer->text(), "2");
  EXPECT_EQ(reader->text(), "-");
  store.release();
  run();
  EXPECT_EQ(reader->text(), "lock_held none");
}

// -- with everything else ----------------------------------------------------

TEST_F(locks_test, a_call_that_has_called_others_has_run) {
  lose();
  EXPECT_EQ(get(door, "pay", R"(["b",5])"), "lock_held ran");
  EXPECT_EQ(stored("b"), R"(1 {"balance":5})");
  EXPECT_EQ(stored("a"), "0 ");
}

TEST_F(locks_test, a_handler_calls_others_under_a_lock) {
  EXPECT_EQ(get({}, "pay_under", R"(["b",5,7])"), "5");
  EXPECT_EQ(get({}, "pay_under", R"(["b",5,6])"), "lock_held ran");
  EXPECT_EQ(stored("b"), R"(1 {"balance":5})");
}

TEST_F(locks_test, a_repeat_gets_the_answer_of_the_first_call) {
  auto once = to("a", "add", door);
  once.idempotency_key = "x";
  EXPECT_EQ(call(once, "3"), "3");
  lose();
  EXPECT_EQ(call(once, "3"), "3");
  once.locks = {};
  EXPECT_EQ(call(once, "3"), "3");
  EXPECT_EQ(stored(), R"(1 {"balance":3})");
}

TEST_F(locks_test, a_call_that_lost_its_lock_can_be_repeated_with_another) {
  lose();
  auto once = to("a", "add", door);
  once.idempotency_key = "x";
  EXPECT_EQ(call(once, "3"), "lock_held none");
  once.locks = {{"door", 8}};
  EXPECT_EQ(call(once, "3"), "3");
}

TEST_F(locks_test, finds_out_what_became_of_an_unknown_commit) {
  get({}, "add", "1");
  for (auto written : {true, false}) {
    store.fates = {written ? fate::unknown_written : fate::unknown_lost};
    EXPECT_EQ(get(door, "add", "2"), written ? "3" : "store_unavailable none");
    // Nothing was to be written.
    store.fates = {written ? fate::unknown_written : fate::unknown_lost};
    EXPECT_EQ(get(door, "get"), "store_unavailable none");
    EXPECT_EQ(get(door, "get"), "3");
  }
}

TEST_F(locks_test, a_check_of_unknown_end_beside_a_recorded_call) {
  get({}, "add", "1");
  store.held = true;
  store.fates = {fate::unknown_lost};
  auto reader = ask(door, "get");
  run();
  auto once = to("a", "add", door);
  once.idempotency_key = "x";
  auto writer = begin(once, "2", 30s);
  run();
  store.release();
  run();
  EXPECT_EQ(reader->text(), "store_unavailable none");
  EXPECT_THAT(writer->text(), ::testing::AnyOf("store_unavailable none", "3"));
  EXPECT_EQ(call(once, "2"), "3");
}

TEST_F(locks_test, whoever_lost_the_entity_hears_that) {
  get({}, "add", "1");
  lose();
  store.take_over({"account", "a"}, R"({"balance":50})");
  EXPECT_EQ(get(door, "add", "1"), "not_owner none");
  EXPECT_EQ(get({}, "get"), "50");
}

} // namespace
} // namespace troupe
