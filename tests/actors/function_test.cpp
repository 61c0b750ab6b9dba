// Functions in virtual time: how arguments and results travel, what waits, what
// is refused, and what becomes of calls whose instance or pool ends.

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/function_fixture.hpp"

namespace troupe {
namespace {

using namespace std::literals;

using testing::noted_call_ptr;

struct order_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct point {
  int x = 0;
  int y = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(point, x, y)
};

class function_test : public testing::function_fixture {
public:
  function_test() {
    module_.function("none", [] { return 7; });
    module_.function("nothing", [](int) {});
    module_.function("twice", [](int x) { return 2 * x; });
    module_.function("add", [](int a, int b) { return a + b; });
    module_.function("join", [](std::string a, bool b, double c, point d) {
      return a + (b ? "+" : "-") + std::to_string(static_cast<int>(c))
             + std::to_string(d.x + d.y);
    });
    module_.function("echo", [](std::string x) { return x; });
    module_.function("type", [](payload x) {
      return payload{x.content_type + ":" + x.bytes, "text/x-seen"};
    });
    module_.function("maybe", [](std::optional<int> x) { return x ? *x : -1; });
    module_.function("any", [](json x) { return x; });
    module_.function("byte", [](uint8_t x) { return x; });
    module_.function("text", [](text x) { return x; });
    module_.function("fail",
                     [](std::string why) -> int { throw order_error{why}; });
    module_.function("throw_int", []() -> int { throw 3; });
    module_.function("refuse", []() -> int {
      throw error_exception{error{errc::lock_held, "mine"}};
    });
    module_.function("nap", [](context& ctx, int ms) -> task<int> {
      co_await ctx.sleep(std::chrono::milliseconds{ms});
      co_return ms;
    });
    module_.function("outer", [](context& ctx, int x) -> task<int> {
      auto once = co_await ctx.function<int(int)>("twice")(x);
      auto more = co_await ctx.function<int(int, int)>("add")(once, 1);
      co_return co_await ctx.function<int(int)>("nap")(more);
    });
    module_.function("outer_fail", [](context& ctx, int) -> task<int> {
      co_return co_await ctx.function<int(std::string)>("fail")("deep");
    });
    module_.function("ask_nobody", [](context& ctx) -> task<int> {
      co_return co_await ctx.function<int()>("nobody")();
    });
    module_.function("catch", [](context& ctx) -> task<std::string> {
      try {
        co_await ctx.function<int(std::string)>("fail")("why");
      } catch (const error_exception& e) {
        co_return std::string{e.reason().type()};
      }
      co_return "no exception";
    });
    module_.function("nap_then_fail", [](context& ctx) -> task<int> {
      co_await ctx.sleep(1ms);
      throw order_error{"later"};
    });
    module_.function("note", [this](int x) { notes.push_back(x); });
    module_
      .function("narrow",
                [this](context& ctx, int ms) -> task<int> {
                  notes.push_back(ms);
                  co_await ctx.sleep(std::chrono::milliseconds{ms});
                  co_return ms;
                })
      .concurrency(2)
      .queue(3);
    module_
      .function("single",
                [this](context& ctx, int ms) -> task<int> {
                  notes.push_back(ms);
                  co_await ctx.sleep(std::chrono::milliseconds{ms});
                  co_return ms;
                })
      .concurrency(1)
      .queue(2);
  }

  void SetUp() override {
    pool_options options;
    options.quarantine.intensity = 1;
    options.quarantine.cool_down = 1s;
    serve(module_, options);
  }

  /// The function `name` is in quarantine.
  void crash_twice(const std::string& name) {
    for (int i = 0; i < 2; ++i) {
      auto x = send(name, "60000");
      run();
      kill_instance(name);
      run();
      EXPECT_EQ(x->outcome(), "instance_lost/unknown");
    }
  }

  std::vector<int> notes;

private:
  module module_;
};

// -- arguments and results ----------------------------------------------------

TEST_F(function_test, takes_no_argument_as_an_empty_body_or_null) {
  EXPECT_EQ(call("none"), "7");
  EXPECT_EQ(call("none", "null"), "7");
  EXPECT_EQ(call("none", "1"), "bad_request/none");
}

TEST_F(function_test, takes_one_argument_as_the_value_itself) {
  EXPECT_EQ(call("twice", "21"), "42");
  EXPECT_EQ(call("twice", "[21]"), "bad_request/none");
  EXPECT_EQ(call("twice"), "bad_request/none");
}

TEST_F(function_test, takes_several_arguments_as_an_array) {
  EXPECT_EQ(call("add", "[2,3]"), "5");
  EXPECT_EQ(call("join", R"(["a", true, 2.5, {"x": 1, "y": 2}])"), R"("a+23")");
}

TEST_F(function_test, refuses_a_wrong_number_of_arguments) {
  EXPECT_EQ(call("add", "[2]"), "bad_request/none");
  EXPECT_EQ(call("add", "[2,3,4]"), "bad_request/none");
  EXPECT_EQ(call("add", R"({"a": 2, "b": 3})"), "bad_request/none");
  EXPECT_EQ(call("add"), "bad_request/none");
}

TEST_F(function_test, refuses_what_is_no_json) {
  for (auto body : {"{", "nil", "1 2", "'a'", "\xFF", "[1,]"})
    EXPECT_EQ(call("any", body), "bad_request/none") << body;
}

TEST_F(function_test, takes_integers_only_for_an_integer) {
  for (auto body : {"2.5", "2.0", "true", R"("2")", "null", "[]", "{}"})
    EXPECT_EQ(call("twice", body), "bad_request/none") << body;
}

TEST_F(function_test, refuses_an_integer_out_of_range) {
  EXPECT_EQ(call("byte", "255"), "255");
  EXPECT_EQ(call("byte", "256"), "bad_request/none");
  EXPECT_EQ(call("byte", "-1"), "bad_request/none");
  EXPECT_EQ(call("twice", "2147483648"), "bad_request/none");
  EXPECT_EQ(call("twice", "99999999999999999999999"), "bad_request/none");
}

TEST_F(function_test, gives_raw_bytes_to_a_string_and_keeps_their_media_type) {
  auto x = send("echo", "\x00\xFF{not json"s, {}, "image/x-test");
  run();
  EXPECT_EQ(x->outcome(), "\x00\xFF{not json"s);
  EXPECT_EQ(x->result().content_type, "image/x-test");
}

TEST_F(function_test, gives_the_media_type_to_a_payload) {
  auto x = send("type", "abc", {}, "text/plain");
  run();
  EXPECT_EQ(x->outcome(), "text/plain:abc");
  EXPECT_EQ(x->result().content_type, "text/x-seen");
}

TEST_F(function_test, takes_an_optional_argument_as_nothing_null_or_the_value) {
  EXPECT_EQ(call("maybe"), "-1");
  EXPECT_EQ(call("maybe", "null"), "-1");
  EXPECT_EQ(call("maybe", "4"), "4");
  EXPECT_EQ(call("maybe", "true"), "bad_request/none");
}

TEST_F(function_test, answers_null_for_void) {
  EXPECT_EQ(call("nothing", "1"), "null");
}

TEST_F(function_test, takes_text_as_a_json_string) {
  EXPECT_EQ(call("text", R"("a\n")"), R"("a\n")");
  EXPECT_EQ(call("text", "a"), "bad_request/none");
}

TEST_F(function_test, refuses_json_deeper_than_512_levels) {
  auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(call("any", nested(512)), nested(512));
  EXPECT_EQ(call("any", nested(513)), "bad_request/none");
  EXPECT_EQ(call("any", nested(100'000)), "bad_request/none");
  EXPECT_EQ(call("any", std::string(100'000, '[')), "bad_request/none");
  // Brackets in a string are no levels, also behind an escaped quote.
  auto text = R"("\"[[)" + std::string(600, '[') + "\"";
  EXPECT_EQ(call("any", text), text);
}

TEST_F(function_test, gives_typed_callers_what_it_gives_to_json) {
  EXPECT_EQ((typed<int(int, int)>("add", 2, 3)), call("add", "[2,3]"));
  EXPECT_EQ((typed<int(int)>("twice", 4)), call("twice", "4"));
  EXPECT_EQ((typed<int()>("none")), call("none"));
  EXPECT_EQ((typed<std::string(std::string)>("echo", "x")), R"("x")");
  EXPECT_EQ((typed<int(std::string)>("fail", "x")), call("fail", "x"));
}

TEST_F(function_test, converts_for_a_typed_caller_with_another_signature) {
  EXPECT_EQ((typed<double(int64_t, int64_t)>("add", 2, 3)), "5.0");
  EXPECT_EQ((typed<int(double, double)>("add", 2.5, 3.5)), "bad_request/none");
}

TEST_F(function_test, says_that_it_ran_when_the_caller_expects_another_result) {
  EXPECT_EQ((typed<bool(int, int)>("add", 2, 3)), "bad_request/ran");
  EXPECT_EQ((typed<int8_t(int)>("twice", 100)), "bad_request/ran");
}

TEST_F(function_test, is_not_found_under_another_name) {
  EXPECT_EQ(call("nobody"), "not_found/none");
}

// -- exceptions ----------------------------------------------------------------

TEST_F(function_test, answers_an_exception_by_its_type) {
  auto x = send("fail", "no stock");
  run();
  EXPECT_EQ(x->outcome(), "troupe::(anonymous namespace)::order_error/ran");
  EXPECT_EQ(x->failure()->message(), "no stock");
  EXPECT_EQ(*x->failure(), errc::handler_failed);
}

TEST_F(function_test, answers_what_is_thrown_and_no_exception) {
  EXPECT_EQ(call("throw_int"), "int/ran");
}

TEST_F(function_test, answers_an_error_of_ours_as_it_is) {
  EXPECT_EQ(call("refuse"), "lock_held/none");
}

TEST_F(function_test, stays_in_service_when_its_handler_throws) {
  for (int i = 0; i < 100; ++i)
    call("fail", "again");
  EXPECT_EQ(stats("fail").failures, 100u);
  EXPECT_EQ(stats("fail").restarts, 0u);
  EXPECT_EQ(stats("fail").instances, 1u);
  EXPECT_FALSE(stats("fail").quarantined);
}

// -- coroutines ----------------------------------------------------------------

TEST_F(function_test, sleeps_without_a_thread) {
  auto x = send("nap", "100");
  advance(99ms);
  EXPECT_EQ(x->outcome(), "open");
  advance(1ms);
  EXPECT_EQ(x->outcome(), "100");
}

TEST_F(function_test, awaits_other_functions) {
  auto x = send("outer", "5");
  advance(1s);
  EXPECT_EQ(x->outcome(), "11");
}

TEST_F(function_test, answers_the_exception_of_a_coroutine) {
  auto x = send("nap_then_fail");
  advance(1ms);
  EXPECT_EQ(x->outcome(), "troupe::(anonymous namespace)::order_error/ran");
}

TEST_F(function_test, passes_the_error_of_a_nested_call_on) {
  EXPECT_EQ(call("outer_fail", "1"),
            "troupe::(anonymous namespace)::order_error/ran");
}

TEST_F(function_test, lets_a_handler_catch_the_error_of_a_nested_call) {
  EXPECT_EQ(call("catch"), R"("troupe::(anonymous namespace)::order_error")");
}

TEST_F(function_test, has_run_when_its_nested_call_never_started) {
  EXPECT_EQ(call("ask_nobody"), "not_found/ran");
}

TEST_F(function_test, inherits_the_deadline_to_nested_calls) {
  auto x = send("outer", "500", 100ms);
  advance(200ms);
  EXPECT_EQ(x->outcome(), "deadline_exceeded/unknown");
  EXPECT_EQ(deadlines.size(), 0u);
}

// -- waiting -------------------------------------------------------------------

TEST_F(function_test, runs_as_many_calls_at_once_as_it_may) {
  auto a = send("narrow", "100");
  auto b = send("narrow", "200");
  auto c = send("narrow", "300");
  run();
  EXPECT_EQ(notes, (std::vector{100, 200}));
  EXPECT_EQ(stats("narrow").instances, 2u);
  EXPECT_EQ(stats("narrow").queued, 1u);
  EXPECT_EQ(describe("narrow").queue, 1u);
  advance(100ms);
  EXPECT_EQ(a->outcome(), "100");
  EXPECT_EQ(notes, (std::vector{100, 200, 300}));
  advance(300ms);
  EXPECT_EQ(b->outcome(), "200");
  EXPECT_EQ(c->outcome(), "300");
}

TEST_F(function_test, refuses_calls_past_its_queue_and_says_when_to_retry) {
  std::vector<noted_call_ptr> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(send("narrow", "100"));
    run();
  }
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(calls[i]->outcome(), "open") << i;
  for (int i = 5; i < 8; ++i) {
    EXPECT_EQ(calls[i]->outcome(), "too_many_requests/none") << i;
    EXPECT_EQ(calls[i]->failure()->retry_after_s(), 1u);
  }
  advance(1s);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(calls[i]->outcome(), "100") << i;
  EXPECT_EQ(stats("narrow").rejected, 3u);
  EXPECT_EQ(stats("narrow").queued, 0u);
  EXPECT_EQ(call("narrow", "0"), "0");
}

TEST_F(function_test, bounds_calls_that_come_before_it_has_an_instance) {
  std::vector<noted_call_ptr> calls;
  for (int i = 0; i < 8; ++i)
    calls.push_back(send("narrow", "100")); // nothing runs meanwhile
  auto refused = 0;
  for (auto& x : calls)
    refused += x->outcome() == "too_many_requests/none";
  EXPECT_EQ(refused, 3);
}

TEST_F(function_test, serves_waiting_calls_in_their_order) {
  std::vector<noted_call_ptr> calls;
  for (auto ms : {"30", "20", "10"})
    calls.push_back(send("single", ms));
  advance(1s);
  EXPECT_EQ(notes, (std::vector{30, 20, 10}));
}

TEST_F(function_test, never_starts_a_call_that_is_late_in_the_queue) {
  auto a = send("single", "100");
  auto b = send("single", "1", 50ms);
  advance(60ms);
  EXPECT_EQ(b->outcome(), "deadline_exceeded/none");
  advance(1s);
  EXPECT_EQ(notes, (std::vector{100}));
  EXPECT_EQ(a->outcome(), "100");
}

TEST_F(function_test, never_starts_a_call_that_was_given_up_in_the_queue) {
  auto a = send("single", "100");
  auto b = send("single", "1");
  run();
  EXPECT_EQ(b->abandon(), effect::none);
  advance(1s);
  EXPECT_EQ(notes, (std::vector{100}));
  EXPECT_EQ(b->answers, 0);
}

TEST_F(function_test, gives_the_place_of_a_call_that_was_given_up_to_another) {
  auto a = send("single", "60000");
  auto b = send("single", "1");
  auto c = send("single", "2");
  run();
  EXPECT_EQ(call("single", "3"), "too_many_requests/none");
  EXPECT_EQ(c->abandon(), effect::none);
  advance(defaults::function::sweep);
  EXPECT_EQ(stats("single").queued, 1u);
  auto d = send("single", "4");
  run();
  EXPECT_EQ(d->outcome(), "open");
}

TEST_F(function_test, forgets_the_deadline_of_a_call_that_was_given_up) {
  auto a = send("single", "60000");
  run();
  EXPECT_EQ(deadlines.size(), 1u);
  a->abandon();
  EXPECT_EQ(deadlines.size(), 0u);
}

TEST_F(function_test, answers_at_the_deadline_and_drops_the_late_answer) {
  auto x = send("nap", "100", 50ms);
  advance(60ms);
  EXPECT_EQ(x->outcome(), "deadline_exceeded/unknown");
  advance(1s);
  EXPECT_EQ(x->outcome(), "deadline_exceeded/unknown");
  EXPECT_EQ(call("twice", "1"), "2");
}

TEST_F(function_test, caps_the_deadline_of_a_call_by_its_own) {
  module m;
  m.function("quick",
             [](context& ctx) -> task<void> { co_await ctx.sleep(10s); })
    .timeout(1s);
  serve(m);
  auto x = send("quick", "", 30s);
  advance(1005ms);
  EXPECT_EQ(x->outcome(), "deadline_exceeded/unknown");
}

// -- the end of an instance ----------------------------------------------------

TEST_F(function_test, loses_the_call_of_an_instance_that_is_killed) {
  auto x = send("single", "1000");
  run();
  kill_instance("single");
  run();
  EXPECT_EQ(x->outcome(), "instance_lost/unknown");
  EXPECT_EQ(stats("single").restarts, 1u);
  EXPECT_EQ(stats("single").instances, 0u);
}

TEST_F(function_test, serves_with_a_new_instance_after_one_was_killed) {
  auto x = send("single", "1000");
  auto waiting = send("single", "10");
  run();
  kill_instance("single");
  run();
  advance(10ms);
  EXPECT_EQ(waiting->outcome(), "10");
  EXPECT_EQ(stats("single").instances, 1u);
}

TEST_F(function_test, runs_a_call_elsewhere_that_its_instance_did_not_take) {
  call("single", "0");
  auto x = send("single", "1"); // in the slot
  kill_instance("single");
  functions.at("single")->at(0)->gone.store(true);
  auto y = functions.at("single")->at(0)->assigned.load();
  EXPECT_EQ(y, x.get());
  functions.at("single")->rescue(0, nullptr); // as its exit does
  run();
  advance(1ms);
  EXPECT_EQ(x->outcome(), "1");
}

TEST_F(function_test, abandons_nested_calls_when_its_instance_is_killed) {
  auto x = send("outer", "5");
  run(); // it waits for "nap"
  kill_instance("outer");
  run();
  EXPECT_EQ(x->outcome(), "instance_lost/unknown");
  advance(1s);
  EXPECT_EQ(deadlines.size(), 0u);
}

TEST_F(function_test, is_quarantined_when_its_instances_die_too_often) {
  crash_twice("single");
  auto x = send("single", "1");
  EXPECT_EQ(x->outcome(), "quarantined/none"); // at once
  EXPECT_EQ(x->failure()->retry_after_s(), 1u);
  EXPECT_TRUE(stats("single").quarantined);
  EXPECT_EQ(describe("single").state, "quarantined");
  EXPECT_EQ(describe("single").restarts, 2u);
  EXPECT_EQ(describe("single").last_reason, "kill");
}

TEST_F(function_test, refuses_waiting_calls_when_it_is_quarantined) {
  auto a = send("single", "1000");
  run();
  kill_instance("single");
  auto b = send("single", "1000");
  auto c = send("single", "1000");
  run();
  kill_instance("single");
  run();
  EXPECT_EQ(c->outcome(), "quarantined/none");
}

TEST_F(function_test, lets_one_call_in_after_the_cool_down) {
  crash_twice("single");
  advance(1s);
  auto probe = send("single", "100");
  run();
  EXPECT_EQ(describe("single").state, "probing");
  EXPECT_EQ(call("single", "1"), "quarantined/none");
  advance(100ms);
  EXPECT_EQ(probe->outcome(), "100");
  EXPECT_EQ(describe("single").state, "up");
  EXPECT_EQ(call("single", "0"), "0");
  EXPECT_FALSE(stats("single").quarantined);
}

TEST_F(function_test, rests_for_longer_when_the_probe_dies) {
  crash_twice("single");
  advance(1s);
  auto probe = send("single", "100");
  run();
  kill_instance("single");
  run();
  EXPECT_EQ(probe->outcome(), "instance_lost/unknown");
  advance(1900ms);
  EXPECT_EQ(call("single", "0"), "quarantined/none");
  advance(100ms);
  EXPECT_EQ(call("single", "0"), "0");
  EXPECT_EQ(describe("single").state, "up");
}

TEST_F(function_test, probes_again_when_the_caller_of_the_probe_went_away) {
  crash_twice("single");
  advance(1s);
  auto probe = send("single", "0");
  deliver(keepers.at("single")); // it is handed over
  probe->abandon();
  run();
  EXPECT_EQ(call("single", "0"), "0");
  EXPECT_EQ(describe("single").state, "up");
  EXPECT_EQ(notes.size(), 3u); // the one given up never ran
}

TEST_F(function_test, is_not_reopened_by_calls_from_before_the_quarantine) {
  auto old = send("narrow", "1500");
  run();
  for (int i = 0; i < 2; ++i) {
    auto x = send("narrow", "60000");
    run();
    kill_instance("narrow", 1);
    run();
  }
  EXPECT_EQ(describe("narrow").state, "quarantined");
  advance(1s);
  auto probe = send("narrow", "60000");
  run();
  advance(600ms);
  EXPECT_EQ(old->outcome(), "1500");
  EXPECT_EQ(probe->outcome(), "open");
  EXPECT_EQ(describe("narrow").state, "probing");
}

TEST_F(function_test, reopens_when_the_probe_throws) {
  module m;
  m.function("bad", []() -> int { throw order_error{"x"}; }).concurrency(1);
  pool_options options;
  options.quarantine.intensity = 0;
  serve(m, options);
  call("bad");
  kill_instance("bad");
  run();
  EXPECT_EQ(call("bad"), "quarantined/none");
  advance(1s);
  EXPECT_EQ(call("bad"), "troupe::(anonymous namespace)::order_error/ran");
  EXPECT_EQ(describe("bad").state, "up");
}

// -- idle ----------------------------------------------------------------------

TEST_F(function_test, retires_instances_that_are_idle_and_starts_new_ones) {
  call("single", "0");
  EXPECT_EQ(stats("single").instances, 1u);
  advance(100s);
  EXPECT_EQ(stats("single").instances, 0u);
  EXPECT_TRUE(describe("single").children.empty());
  EXPECT_EQ(call("single", "0"), "0");
  EXPECT_EQ(stats("single").restarts, 0u);
}

TEST_F(function_test, starts_a_new_instance_while_the_idle_one_still_ends) {
  call("single", "0");
  auto& slot = *functions.at("single")->at(0);
  ASSERT_TRUE(functions.at("single")->free().claim_exactly(0));
  slot.gone.store(true); // as the pool retires it, before its exit is handled
  slot.vacant.store(true);
  auto x = send("single", "0");
  run();
  EXPECT_EQ(x->outcome(), "open");
  caf::anon_send_exit(slot.handle, caf::exit_reason::user_shutdown);
  run();
  EXPECT_EQ(x->outcome(), "0");
}

TEST_F(function_test, keeps_an_instance_that_waits) {
  auto x = send("nap", "59000", 60s);
  advance(58s);
  EXPECT_EQ(stats("nap").instances, 1u);
  advance(1s);
  EXPECT_EQ(x->outcome(), "59000");
}

// -- the pool ------------------------------------------------------------------

TEST_F(function_test, drains_what_is_in_flight_and_refuses_what_is_new) {
  auto a = send("single", "100");
  auto b = send("single", "100");
  run();
  caf::anon_send(keepers.at("single"), atom::drain::value);
  run();
  auto c = send("single", "1");
  EXPECT_EQ(c->outcome(), "shutting_down/none");
  EXPECT_GT(c->failure()->retry_after_s(), 0u);
  EXPECT_EQ(describe("single").state, "stopping");
  advance(1s);
  EXPECT_EQ(a->outcome(), "100");
  EXPECT_EQ(b->outcome(), "100");
  EXPECT_EQ(ended(keepers.at("single")),
            caf::error{caf::exit_reason::user_shutdown});
}

TEST_F(function_test, drains_at_once_when_it_is_idle) {
  call("twice", "1");
  caf::anon_send(keepers.at("twice"), atom::drain::value);
  run();
  EXPECT_TRUE(ended(keepers.at("twice")));
}

TEST_F(function_test, answers_all_calls_when_its_pool_is_killed) {
  auto a = send("single", "100");
  run();
  auto b = send("single", "100");
  run();
  caf::anon_send_exit(keepers.at("single"), caf::exit_reason::kill);
  auto c = send("single", "100"); // behind the kill, in the mailbox
  run();
  EXPECT_EQ(a->outcome(), "instance_lost/unknown");
  EXPECT_EQ(b->outcome(), "shutting_down/none");
  EXPECT_EQ(c->outcome(), "shutting_down/none");
  EXPECT_EQ(call("single", "1"), "shutting_down/none");
  EXPECT_EQ(stats("single").queued, 0u);
}

TEST_F(function_test, serves_again_after_its_pool_was_restarted) {
  std::vector<noted_call_ptr> lost;
  for (int i = 0; i < 5; ++i)
    lost.push_back(send("narrow", "100"));
  run();
  caf::anon_send_exit(keepers.at("narrow"), caf::exit_reason::kill);
  run();
  start_pool(functions.at("narrow"));
  std::vector<noted_call_ptr> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(send("narrow", "100"));
  run();
  EXPECT_EQ(stats("narrow").instances, 2u);
  advance(1s);
  for (auto& x : calls)
    EXPECT_EQ(x->outcome(), "100");
}

TEST_F(function_test, serves_again_after_an_idle_pool_was_restarted) {
  call("single", "0");
  caf::anon_send_exit(keepers.at("single"), caf::exit_reason::kill);
  start_pool(functions.at("single"));
  EXPECT_EQ(call("single", "0"), "0");
  EXPECT_EQ(stats("single").instances, 1u);
}

TEST_F(function_test, is_back_in_service_when_a_quarantined_pool_restarts) {
  crash_twice("single");
  caf::anon_send_exit(keepers.at("single"), caf::exit_reason::kill);
  run();
  start_pool(functions.at("single"));
  EXPECT_EQ(call("single", "0"), "0");
}

TEST_F(function_test, describes_its_instances) {
  auto x = send("single", "100");
  advance(40ms);
  auto tree = describe("single");
  EXPECT_EQ(tree.kind, "pool");
  EXPECT_EQ(tree.name, "single:1");
  EXPECT_EQ(tree.state, "up");
  ASSERT_EQ(tree.children.size(), 1u);
  EXPECT_EQ(tree.children[0].kind, "instance");
  EXPECT_EQ(tree.children[0].handler, "single");
  EXPECT_EQ(tree.children[0].running_us, 40'000);
  advance(60ms);
  EXPECT_EQ(describe("single").children[0].handler, "");
}

TEST_F(function_test, counts_what_it_did) {
  auto x = send("nap", "3");
  advance(3ms);
  auto seen = stats("nap");
  EXPECT_EQ(seen.calls, 1u);
  EXPECT_EQ(seen.busy_ns, 3'000'000u);
  EXPECT_EQ(seen.durations[12], 1u); // 2,048 to 4,095 us
  EXPECT_EQ(seen.in_flight, 0u);
}

TEST_F(function_test, lets_go_of_its_target_when_its_pool_ended) {
  call("single", "0");
  auto target = functions.at("single");
  functions.clear();
  routes.publish(std::make_shared<route_table>());
  port.routes();
  for (auto& [name, pool] : std::exchange(keepers, {}))
    caf::anon_send_exit(pool, caf::exit_reason::user_shutdown);
  disown_all();
  advance(100s); // a timer keeps its actor
  EXPECT_EQ(target->get_reference_count(), 1u);
}

} // namespace
} // namespace troupe
