// Nothing leaves an entity before the state that it saw is durable, and an
// entity does not wait for that to go on.

#include "actors/core/idempotency_key.hpp"
#include "tests/support/service_fixture.hpp"

namespace troupe {
namespace {

using fate = testing::test_store::fate;

struct account {
  int balance = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(account, balance)

  int get() const { return balance; }

  int add(int by) { return balance += by; }

  int spend(int by) {
    if (by > balance)
      throw std::runtime_error{"only " + std::to_string(balance)};
    return balance -= by;
  }

  task<int> add_slowly(context& ctx, int by) {
    balance += by;
    co_await ctx.sleep(1s);
    co_return balance;
  }

  task<int> pay(context& ctx, text to, int sum) {
    balance -= sum;
    co_return co_await ctx.entity<account>(to.value).call(&account::add, sum);
  }

  task<int> pay_slowly(context& ctx, text to, int sum) {
    co_await ctx.sleep(1s);
    balance -= sum;
    co_return co_await ctx.entity<account>(to.value).call(&account::add, sum);
  }

  task<int> peek(context& ctx, text other) const {
    co_return co_await ctx.entity<account>(other.value).call(&account::get);
  }

  task<int> peek_slowly(context& ctx, text other) const {
    co_await ctx.sleep(1s);
    co_return co_await ctx.entity<account>(other.value).call(&account::get);
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
    .method("pay_slowly", &account::pay_slowly)
    .method("peek", &account::peek)
    .method("peek_slowly", &account::peek_slowly);
  return m;
}

/// A lease that a test ends.
class test_lease final : public node_lease {
public:
  bool valid(time_point) const noexcept override { return held; }

  bool held = true;
};

class gate_test : public service_fixture {
protected:
  gate_test() : service_fixture(bank()) {}

  outcome_ptr ask(std::string key, std::string method, std::string body = {},
                  std::chrono::nanoseconds timeout = 30s) {
    return begin(entity_call{"account", std::move(key), std::move(method)},
                 std::move(body), timeout);
  }

  std::string get(std::string key, std::string method, std::string body = {}) {
    return call(entity_call{"account", std::move(key), std::move(method)},
                std::move(body));
  }

  outcome_ptr repeat(std::string id, std::string key, std::string method,
                     std::string body = {}) {
    return begin(
      entity_call{
        "account", std::move(key), std::move(method), {}, std::move(id)},
      std::move(body));
  }

  std::string repeated(std::string id, std::string key, std::string method,
                       std::string body = {}) {
    auto x =
      repeat(std::move(id), std::move(key), std::move(method), std::move(body));
    run();
    return x->text();
  }

  std::string stored(const std::string& key) {
    auto& x = store.entities[{"account", key}];
    return std::to_string(x.revision) + " " + x.state;
  }

  service_target& accounts() { return target("account"); }

  /// Ends the activation of every key.
  void passivate() {
    advance(400s);
    ASSERT_EQ(accounts().stats().instances, 0u);
  }
};

// -- commits and what waits for them ------------------------------------------

TEST_F(gate_test, commits_once_what_many_calls_did_during_a_commit) {
  get("a", "get");
  store.held = true;
  std::vector<outcome_ptr> calls;
  for (int i = 0; i < 10; ++i)
    calls.push_back(ask("a", "add", "1"));
  run();
  EXPECT_EQ(store.commits, 1u);
  store.release(1);
  run();
  EXPECT_EQ(store.commits, 2u);
  auto first_answered = std::count_if(calls.begin(), calls.end(),
                                      [](auto& x) { return x->answers == 1; });
  EXPECT_GE(first_answered, 1);
  EXPECT_LT(first_answered, 10);
  store.release();
  run();
  EXPECT_EQ(store.commits, 2u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(calls[i]->text(), std::to_string(i + 1));
    EXPECT_EQ(calls[i]->call->revision, i + 1u);
  }
  EXPECT_EQ(stored("a"), "10 {\"balance\":10}");
}

TEST_F(gate_test, holds_back_every_answer_that_saw_what_is_not_durable) {
  get("a", "add", "5");
  store.held = true;
  auto change = ask("a", "add", "1");
  auto read = ask("a", "get");
  auto thrown = ask("a", "spend", "9");
  auto mismatch = begin(entity_call{"account", "a", "get", "\"1\""});
  run();
  for (auto& x : {change, read, thrown, mismatch})
    EXPECT_EQ(x->text(), "-");
  store.release();
  run();
  EXPECT_EQ(change->text(), "6");
  EXPECT_EQ(read->text(), "6");
  EXPECT_EQ(thrown->text(), "std::runtime_error ran");
  EXPECT_EQ(mismatch->text(), "revision_mismatch none");
}

TEST_F(gate_test, answers_at_once_what_saw_only_what_is_durable) {
  get("a", "add", "5");
  auto commits = store.commits;
  store.held = true;
  EXPECT_EQ(get("a", "get"), "5");
  EXPECT_EQ(get("a", "spend", "9"), "std::runtime_error ran");
  EXPECT_EQ(get("a", "add", "0"), "5");
  EXPECT_EQ(store.commits, commits);
}

TEST_F(gate_test, holds_back_a_call_to_another_entity) {
  get("a", "add", "5");
  get("b", "get");
  store.held = true;
  auto change = ask("a", "add", "1");
  auto pay = ask("a", "pay", R"(["b", 2])");
  run();
  EXPECT_EQ(store.commits, 2u) << "b was called with what may be lost";
  store.release(1); // a's change
  run();
  EXPECT_EQ(store.commits, 3u) << "b's change";
  EXPECT_EQ(change->text(), "6");
  EXPECT_EQ(pay->text(), "-");
  store.release();
  run();
  EXPECT_EQ(pay->text(), "2");
  EXPECT_EQ(stored("a"), "3 {\"balance\":4}");
  EXPECT_EQ(stored("b"), "1 {\"balance\":2}");
}

TEST_F(gate_test, fails_all_that_saw_what_a_refused_commit_took) {
  get("a", "add", "5");
  get("b", "get");
  store.held = true;
  store.fates = {fate::overtaken};
  store.other_state = R"({"balance": 50})";
  auto change = ask("a", "add", "1");
  auto read = ask("a", "get");
  auto next = ask("a", "add", "1");
  auto pay = ask("a", "pay", R"(["b", 2])");
  auto queued = ask("a", "add", "7");
  run();
  store.release();
  run();
  for (auto& x : {change, read, next, pay})
    EXPECT_EQ(x->text(), "not_owner none");
  EXPECT_EQ(queued->text(), "57") << "it had not begun";
  EXPECT_EQ(get("b", "get"), "0");
  EXPECT_EQ(stored("a"), "3 {\"balance\":57}");
}

TEST_F(gate_test, ends_a_coroutine_whose_ground_is_gone) {
  get("a", "add", "5");
  store.held = true;
  store.fates = {fate::failed};
  auto change = ask("a", "add", "1");
  auto sleeper = ask("a", "add_slowly", "10");
  run();
  store.release();
  run();
  EXPECT_EQ(change->text(), "store_unavailable none");
  EXPECT_EQ(sleeper->text(), "store_unavailable none");
  EXPECT_EQ(get("a", "add", "1"), "6");
  advance(2s); // the timer of the one that ended
  EXPECT_EQ(get("a", "get"), "6");
}

TEST_F(gate_test, commits_what_came_after_an_unknown_commit_that_was_written) {
  get("a", "get");
  store.held = true;
  store.fates = {fate::unknown_written};
  std::vector<outcome_ptr> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(ask("a", "add", "1"));
  run();
  store.release();
  run();
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(calls[i]->text(), std::to_string(i + 1));
  EXPECT_EQ(stored("a"), "5 {\"balance\":5}");
}

TEST_F(gate_test, runs_no_call_while_an_outcome_is_unknown) {
  get("a", "get");
  store.fates = {fate::unknown_lost};
  store.failing_loads = 2;
  auto change = ask("a", "add", "1");
  run();
  auto next = ask("a", "add", "10");
  run();
  EXPECT_EQ(change->text(), "-");
  EXPECT_EQ(next->text(), "-");
  advance(200ms);
  EXPECT_EQ(change->text(), "store_unavailable none");
  EXPECT_EQ(next->text(), "10");
}

TEST_F(gate_test, is_fenced_by_whoever_claimed_the_entity_last) {
  get("a", "add", "5");
  store.take_over({"account", "a"});
  EXPECT_EQ(get("a", "add", "1"), "not_owner none");
  EXPECT_EQ(get("a", "add", "1"), "6") << "it has claimed it again";
}

TEST_F(gate_test, releases_an_entity_that_never_changed) {
  get("a", "get");
  get("b", "add", "1");
  passivate();
  EXPECT_EQ(store.releases, 1u);
  EXPECT_FALSE(store.tokens.contains({"account", "a"}));
  EXPECT_TRUE(store.tokens.contains({"account", "b"}));
}

TEST_F(gate_test, answers_a_call_that_changes_state_by_its_deadline) {
  get("a", "get");
  store.held = true;
  auto change = ask("a", "add", "1", 1s);
  advance(2s);
  EXPECT_EQ(change->text(), "deadline_exceeded unknown");
  store.release();
  run();
  EXPECT_EQ(change->answers, 1);
  EXPECT_EQ(get("a", "get"), "1");
}

// -- the lease ----------------------------------------------------------------

TEST_F(gate_test, serves_nothing_once_the_lease_is_over) {
  test_lease lease;
  service_options options;
  options.lease = &lease;
  serve(options);
  EXPECT_EQ(get("a", "add", "5"), "5");
  lease.held = false;
  EXPECT_EQ(get("a", "get"), "not_owner none");
  EXPECT_EQ(get("a", "add", "1"), "not_owner none");
  lease.held = true;
  EXPECT_EQ(get("a", "get"), "5");
  passivate();
}

TEST_F(gate_test, tells_nothing_that_it_read_after_the_lease_was_over) {
  test_lease lease;
  service_options options;
  options.lease = &lease;
  serve(options);
  auto read = ask("a", "peek_slowly", "\"b\"");
  advance(500ms);
  lease.held = false;
  advance(1s);
  EXPECT_EQ(read->text(), "not_owner ran");
  passivate();
}

TEST_F(gate_test, answers_a_commit_that_its_token_has_fenced_without_a_lease) {
  test_lease lease;
  service_options options;
  options.lease = &lease;
  serve(options);
  store.held = true;
  auto change = ask("a", "add", "5");
  run();
  store.release(1); // the claim
  run();
  lease.held = false;
  store.release();
  run();
  EXPECT_EQ(change->text(), "5") << "nobody else can have changed it";
  passivate();
}

// -- repeats ------------------------------------------------------------------

TEST_F(gate_test, answers_a_repeat_as_the_first) {
  EXPECT_EQ(repeated("x", "a", "add", "5"), "5");
  EXPECT_EQ(repeated("y", "a", "add", "5"), "10");
  auto again = repeat("x", "a", "add", "5");
  run();
  EXPECT_EQ(again->text(), "5");
  EXPECT_EQ(again->call->revision, 1u);
  EXPECT_EQ(get("a", "get"), "10");
}

TEST_F(gate_test, answers_a_repeat_as_the_first_when_it_is_active_anew) {
  EXPECT_EQ(repeated("x", "a", "add", "5"), "5");
  EXPECT_EQ(repeated("t", "a", "spend", "9"), "std::runtime_error ran");
  passivate();
  EXPECT_EQ(get("a", "add", "100"), "105");
  EXPECT_EQ(repeated("x", "a", "add", "5"), "5");
  EXPECT_EQ(repeated("t", "a", "spend", "9"), "std::runtime_error ran")
    << "it could be paid now, but this call has its outcome";
  EXPECT_EQ(get("a", "get"), "105");
}

TEST_F(gate_test, answers_a_repeat_that_comes_before_the_commit) {
  get("a", "get");
  store.held = true;
  auto first = repeat("x", "a", "add", "5");
  run();
  store.release(1); // nobody knows x
  run();
  auto again = repeat("x", "a", "add", "5");
  auto other = repeat("x", "a", "add", "6");
  run();
  EXPECT_EQ(first->text(), "-");
  EXPECT_EQ(again->text(), "-");
  store.release();
  run();
  EXPECT_EQ(first->text(), "5");
  EXPECT_EQ(again->text(), "5");
  EXPECT_EQ(other->text(), "idempotency_conflict none");
  EXPECT_EQ(get("a", "get"), "5");
}

TEST_F(gate_test, refuses_another_call_with_the_same_key) {
  repeated("x", "a", "add", "5");
  EXPECT_EQ(repeated("x", "a", "add", "6"), "idempotency_conflict none");
  EXPECT_EQ(repeated("x", "a", "spend", "5"), "idempotency_conflict none");
  EXPECT_EQ(repeated("x", "b", "add", "6"), "6") << "another entity's key";
}

TEST_F(gate_test, tries_again_what_had_no_effect) {
  EXPECT_EQ(repeated("x", "a", "add", "\"many\""), "bad_request none");
  store.fates = {fate::failed};
  EXPECT_EQ(repeated("x", "a", "add", "5"), "store_unavailable none");
  store.failing_loads = 1;
  passivate();
  EXPECT_EQ(repeated("x", "a", "add", "5"), "store_unavailable none");
  EXPECT_EQ(repeated("x", "a", "add", "5"), "5");
  EXPECT_EQ(get("a", "get"), "5");
}

TEST_F(gate_test, lets_queued_work_that_failed_be_tried_again_but_done_once) {
  auto key = work_key({1, 2});
  EXPECT_EQ(repeated(key, "a", "spend", "9"), "std::runtime_error ran");
  get("a", "add", "10");
  EXPECT_EQ(repeated(key, "a", "spend", "9"), "1");
  EXPECT_EQ(repeated(key, "a", "spend", "9"), "1") << "it was done before";
  passivate();
  EXPECT_EQ(repeated(key, "a", "spend", "9"), "1");
  EXPECT_EQ(get("a", "get"), "1");
}

TEST_F(gate_test, keeps_no_outcome_of_a_const_method) {
  EXPECT_EQ(repeated("x", "a", "get"), "0");
  get("a", "add", "5");
  EXPECT_EQ(repeated("x", "a", "get"), "5");
  EXPECT_TRUE(store.outcomes.empty());
}

TEST_F(gate_test, keeps_the_outcome_of_a_call_that_changed_nothing) {
  EXPECT_EQ(repeated("x", "a", "add", "0"), "0");
  EXPECT_EQ(stored("a"), "0 ");
  get("a", "add", "5");
  EXPECT_EQ(repeated("x", "a", "add", "0"), "0");
}

TEST_F(gate_test, finds_out_whether_an_outcome_alone_was_written) {
  for (auto written : {true, false}) {
    auto key = written ? "a" : "b";
    get(key, "get");
    store.fates = {written ? fate::unknown_written : fate::unknown_lost};
    EXPECT_EQ(repeated("x", key, "spend", "9"),
              written ? "std::runtime_error ran" : "store_unavailable none");
    EXPECT_EQ(get(key, "add", "9"), "9");
    EXPECT_EQ(repeated("x", key, "spend", "9"),
              written ? "std::runtime_error ran" : "0");
  }
}

TEST_F(gate_test, makes_a_condition_no_obstacle_to_a_repeat) {
  auto conditional = [&] {
    return call(entity_call{"account", "a", "add", "\"0\"", "x"}, "5");
  };
  EXPECT_EQ(conditional(), "5");
  EXPECT_EQ(conditional(), "5");
  EXPECT_EQ(get("a", "get"), "5");
}

// -- an entity as a whole -----------------------------------------------------

TEST_F(gate_test, deletes_an_entity_but_not_its_revision) {
  get("a", "add", "5");
  entity_call erase{"account", "a", {}, "\"1\""};
  erase.operation = entity_operation::erase;
  auto gone = begin(erase);
  run();
  EXPECT_EQ(gone->text(), "null");
  EXPECT_EQ(gone->call->revision, 2u);
  EXPECT_EQ(stored("a"), "2 ");
  EXPECT_EQ(get("a", "get"), "0");
  EXPECT_EQ(call(entity_call{"account", "a", "add", "*"}, "1"),
            "revision_mismatch none");
  erase.if_match.clear();
  EXPECT_EQ(call(erase), "not_found none");
  passivate();
  EXPECT_EQ(get("a", "add", "1"), "1");
  EXPECT_EQ(stored("a"), "3 {\"balance\":1}");
}

TEST_F(gate_test, takes_a_state_as_a_whole_if_it_fits_the_class) {
  entity_call replace{"account", "a"};
  replace.operation = entity_operation::replace;
  EXPECT_EQ(call(replace, R"({"balance": 70})"), "null");
  EXPECT_EQ(stored("a"), "1 {\"balance\":70}");
  for (auto bad : {"", "{", "7", "{}", R"({"balance": "x"})"})
    EXPECT_EQ(call(replace, bad), "bad_request none") << bad;
  replace.schema = 2;
  EXPECT_EQ(call(replace, R"({"balance": 1})"), "not_implemented none");
  EXPECT_EQ(get("a", "get"), "70");
  EXPECT_EQ(store.commits, 1u);
}

TEST_F(gate_test, takes_no_deletion_for_a_repeat_of_a_replacement) {
  entity_call replace{"account", "a", {}, {}, "x"};
  replace.operation = entity_operation::replace;
  replace.schema = 1;
  auto erase = replace;
  erase.operation = entity_operation::erase;
  std::string state = R"({"balance": 70})";
  EXPECT_EQ(call(replace, state), "null");
  EXPECT_EQ(call(erase, state), "idempotency_conflict none");
  EXPECT_EQ(call(replace, state), "null");
  auto newer = replace;
  newer.schema = 2;
  EXPECT_EQ(call(newer, state), "idempotency_conflict none");
  EXPECT_EQ(stored("a"), "1 {\"balance\":70}");
  erase.idempotency_key = replace.idempotency_key = "y";
  EXPECT_EQ(call(erase), "null");
  EXPECT_EQ(call(erase), "null");
  EXPECT_EQ(call(replace), "idempotency_conflict none");
  EXPECT_EQ(stored("a"), "2 ");
}

// -- calls between entities ---------------------------------------------------

TEST_F(gate_test, lets_calls_from_entities_go_ahead_of_calls_from_outside) {
  get("b", "add", "1");
  auto payer = ask("a", "pay_slowly", R"(["b", 5])");
  advance(500ms);
  auto holder = ask("b", "add_slowly", "1"); // began later
  run();
  std::vector<outcome_ptr> outside;
  for (int i = 0; i < 3; ++i)
    outside.push_back(ask("b", "get"));
  advance(5s);
  EXPECT_EQ(holder->text(), "2");
  EXPECT_EQ(payer->text(), "7");
  for (auto& x : outside)
    EXPECT_EQ(x->text(), "7") << "it went ahead of one from an entity";
}

TEST_F(gate_test,
       sends_a_younger_call_away_from_an_entity_that_an_older_holds) {
  auto holder = ask("b", "add_slowly", "1");
  run();
  EXPECT_EQ(get("a", "pay", R"(["b", 5])"), "busy_retry ran");
  advance(2s);
  EXPECT_EQ(holder->text(), "1");
  EXPECT_EQ(get("a", "pay", R"(["b", 5])"), "6");
}

} // namespace
} // namespace troupe
