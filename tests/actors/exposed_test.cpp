// Exposed CAF actors in virtual time: how calls reach them, what comes back, and
// what their end means for their callers.

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/core/caf_error.hpp"
#include "tests/support/function_fixture.hpp"

namespace troupe {
namespace {

using namespace std::literals;

using testing::noted_call_ptr;

/// What the test sees of the actors that were started.
struct witness {
  int starts = 0;
  std::vector<int> seen;
  std::vector<caf::response_promise> promises;
};

/// Does as the number says.
caf::behavior ticker(caf::event_based_actor* self,
                     const std::shared_ptr<witness>& state) {
  return {
    [=](int x) -> caf::result<int> {
      state->seen.push_back(x);
      switch (x) {
      case -1:
        throw std::runtime_error{"as told"};
      case -2:
        self->quit(caf::exit_reason::user_shutdown);
        return -2;
      case -3: // answers later, if ever
        state->promises.push_back(self->make_response_promise());
        return state->promises.back();
      case -4:
        return caf::sec::invalid_argument;
      case -5:
        return caf::make_error(caf::sec::runtime_error, "mine");
      case -6:
        return caf::error{3, caf::atom("shop")};
      case -7:
        return to_caf_error({errc::lock_held, "held"});
      case -8:
        self->quit();
        return -8;
      default:
        return x + 1;
      }
    },
    [=](size_t promise, int x) { state->promises.at(promise).deliver(x); },
  };
}

class exposed_test : public testing::function_fixture {
public:
  exposed_test() {
    module_
      .expose(
        "ticker",
        [w = state](caf::actor_system& sys) {
          ++w->starts;
          return sys.spawn(ticker, w);
        },
        signature<int(int)>{})
      .concurrency(2)
      .queue(2);
    module_.expose("unsigned", [w = state](caf::actor_system& sys) {
      return sys.spawn(ticker, w);
    });
    module_.expose(
      "many",
      [](caf::actor_system& sys) {
        return sys.spawn([]() -> caf::behavior {
          return {
            [] { return 7; },
            [](int a, const std::string& b) { return b + std::to_string(a); },
            [](const std::string& raw) { return raw; },
            [](double) {},
          };
        });
      },
      signature<std::string(int, std::string)>{});
    auto many = module_.exposed().back()->spawn;
    module_.expose("none", many, signature<int()>{});
    module_.expose("raw", many, signature<std::string(std::string)>{});
    module_.expose("nothing", many, signature<void(double)>{});
    module_.expose("liar", many, signature<std::string()>{});
    module_.expose("deaf", many, signature<int(float)>{});
  }

  ~exposed_test() override { state->promises.clear(); }

  void SetUp() override {
    exposed_options options;
    options.quarantine.intensity = 2;
    options.quarantine.cool_down = 1s;
    options.backoff = {10ms, 20ms};
    serve(module_, {}, options);
  }

  /// Ends the actor of "ticker".
  void kill_actor() {
    caf::anon_send_exit(exposed.at("ticker")->actor(), caf::exit_reason::kill);
    run();
  }

  /// The actor answers the call that it took as number `promise`.
  void keep_promise(size_t promise, int x) {
    caf::anon_send(exposed.at("ticker")->actor(), promise, x);
    run();
  }

  void crash_thrice() {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(call("ticker", "-1"), "instance_lost/unknown");
      advance(20ms);
    }
  }

  std::shared_ptr<witness> state = std::make_shared<witness>();

private:
  module module_;
};

// -- calls ---------------------------------------------------------------------

TEST_F(exposed_test, answers_calls_as_a_function_does) {
  EXPECT_EQ(call("ticker", "41"), "42");
  EXPECT_EQ((typed<int(int)>("ticker", 1)), "2");
  EXPECT_EQ(call("many", R"([1,"a"])"), R"("a1")");
  EXPECT_EQ(call("none"), "7");
  EXPECT_EQ(call("nothing", "1.5"), "null");
}

TEST_F(exposed_test, keeps_the_media_type_of_raw_bytes) {
  auto x = send("raw", "\xFF\x00"s, {}, "image/x-test");
  run();
  EXPECT_EQ(x->outcome(), "\xFF\x00"s);
  EXPECT_EQ(x->result().content_type, "image/x-test");
}

TEST_F(exposed_test,
       refuses_arguments_that_do_not_fit_before_the_actor_sees_them) {
  for (auto body : {"2.5", "true", "[1]", "", "{"})
    EXPECT_EQ(call("ticker", body), "bad_request/none") << body;
  EXPECT_TRUE(state->seen.empty());
  EXPECT_EQ(stats("ticker").queued, 0u);
}

TEST_F(exposed_test, is_out_of_reach_for_bytes_without_a_signature) {
  EXPECT_FALSE(exposed.at("unsigned")->callable_by_bytes());
  EXPECT_TRUE(exposed.at("ticker")->callable_by_bytes());
  EXPECT_EQ(call("unsigned", "1"), "bad_request/none");
  EXPECT_EQ(request<int>(exposed.at("unsigned")->actor(), 1), 2);
}

TEST_F(exposed_test, says_when_the_actor_answers_another_type_than_promised) {
  EXPECT_EQ(call("liar"), "internal_error/ran");
}

TEST_F(exposed_test, answers_the_error_of_an_actor_that_knows_no_such_message) {
  EXPECT_EQ(call("deaf", "1"), "caf::sec::unexpected_message/ran");
}

TEST_F(exposed_test, answers_an_error_of_the_actor_by_its_category) {
  EXPECT_EQ(call("ticker", "-4"), "caf::sec::invalid_argument/ran");
  EXPECT_EQ(call("ticker", "-6"), "shop/ran");
  EXPECT_EQ(call("ticker", "-7"), "lock_held/ran");
  EXPECT_EQ(state->starts, 1);
  EXPECT_EQ(stats("ticker").failures, 3u);
}

TEST_F(exposed_test, tells_an_error_answer_from_an_exception) {
  EXPECT_EQ(call("ticker", "-5"), "caf::sec::runtime_error/ran");
  EXPECT_EQ(state->starts, 1);
  EXPECT_EQ(call("ticker", "-1"), "instance_lost/unknown");
}

// -- waiting -------------------------------------------------------------------

TEST_F(exposed_test, gives_the_actor_as_many_calls_as_it_may_have) {
  std::vector<noted_call_ptr> calls;
  for (int i = 0; i < 6; ++i)
    calls.push_back(send("ticker", "-3"));
  run();
  EXPECT_EQ(state->seen.size(), 2u);
  EXPECT_EQ(describe("ticker").queue, 2u);
  EXPECT_EQ(describe("ticker").handler, "ticker");
  EXPECT_EQ(stats("ticker").in_flight, 2u);
  EXPECT_EQ(stats("ticker").queued, 2u);
  EXPECT_EQ(calls[4]->outcome(), "too_many_requests/none");
  EXPECT_EQ(calls[4]->failure()->retry_after_s(), 1u);
  EXPECT_EQ(calls[5]->outcome(), "too_many_requests/none");
  keep_promise(0, 5);
  run();
  EXPECT_EQ(calls[0]->outcome(), "5");
  EXPECT_EQ(state->seen.size(), 3u);
}

TEST_F(exposed_test, never_starts_a_call_that_is_late_in_the_queue) {
  auto a = send("ticker", "-3");
  auto b = send("ticker", "-3");
  auto late = send("ticker", "1", 100ms);
  advance(200ms);
  EXPECT_EQ(late->outcome(), "deadline_exceeded/none");
  keep_promise(0, 5);
  run();
  EXPECT_EQ(state->seen.size(), 2u);
  EXPECT_EQ(stats("ticker").queued, 0u);
}

TEST_F(exposed_test, frees_the_place_of_a_call_that_was_given_up) {
  auto a = send("ticker", "-3");
  auto b = send("ticker", "-3");
  auto c = send("ticker", "1");
  auto d = send("ticker", "2");
  run();
  EXPECT_EQ(c->abandon(), effect::none);
  EXPECT_EQ(a->abandon(), effect::unknown);
  advance(defaults::function::sweep);
  EXPECT_EQ(d->outcome(), "3");
  EXPECT_EQ(state->seen, (std::vector{-3, -3, 2}));
}

TEST_F(exposed_test, forgets_a_call_that_is_never_answered_at_its_deadline) {
  auto x = send("ticker", "-3", 100ms);
  advance(200ms);
  EXPECT_EQ(x->outcome(), "deadline_exceeded/unknown");
  EXPECT_EQ(stats("ticker").in_flight, 0u);
  EXPECT_EQ(stats("ticker").queued, 0u);
  EXPECT_EQ(x->get_reference_count(), 1u);
  keep_promise(0, 5); // too late
  run();
  EXPECT_EQ(x->outcome(), "deadline_exceeded/unknown");
  EXPECT_EQ(call("ticker", "1"), "2");
}

TEST_F(exposed_test,
       keeps_the_place_of_a_message_that_the_actor_has_not_taken) {
  auto a = send("ticker", "1", 100ms);
  auto b = send("ticker", "2", 100ms);
  deliver(keepers.at("ticker"));
  deliver(keepers.at("ticker"));
  // The actor is stuck: it takes nothing.
  a->abandon();
  b->abandon();
  caf::anon_send(keepers.at("ticker"), atom::sweep::value);
  deliver(keepers.at("ticker"));
  auto c = send("ticker", "3");
  deliver(keepers.at("ticker"));
  EXPECT_EQ(stats("ticker").in_flight, 0u);
  EXPECT_EQ(stats("ticker").queued, 1u);
  run();
  EXPECT_EQ(c->outcome(), "4");
}

TEST_F(exposed_test, goes_on_when_the_one_it_delegates_to_is_gone) {
  auto target = std::make_shared<caf::actor>();
  module m;
  m.expose(
    "delegates",
    [=](caf::actor_system& sys) {
      return sys.spawn([=](caf::event_based_actor* self) {
        return caf::behavior{[=](int x) { return self->delegate(*target, x); }};
      });
    },
    signature<int(int)>{});
  serve(m);
  *target = exposed.at("ticker")->actor();
  EXPECT_EQ(call("delegates", "1"), "2");
  kill_actor();
  EXPECT_EQ(call("delegates", "1"), "instance_lost/unknown");
  advance(20ms);
  *target = exposed.at("ticker")->actor();
  EXPECT_EQ(call("delegates", "1"), "2");
}

// -- the end of the actor ------------------------------------------------------

TEST_F(exposed_test, loses_every_call_in_flight_when_the_actor_dies) {
  auto a = send("ticker", "-3");
  auto b = send("ticker", "-3");
  auto waiting = send("ticker", "1");
  run();
  kill_actor();
  EXPECT_EQ(a->outcome(), "instance_lost/unknown");
  EXPECT_EQ(b->outcome(), "instance_lost/unknown");
  EXPECT_EQ(waiting->outcome(), "open");
  EXPECT_EQ(describe("ticker").state, "waiting");
  EXPECT_EQ(exposed.at("ticker")->actor(), nullptr);
  advance(20ms);
  EXPECT_EQ(waiting->outcome(), "2");
  EXPECT_EQ(state->starts, 2);
  EXPECT_EQ(describe("ticker").state, "up");
  EXPECT_EQ(describe("ticker").restarts, 1u);
  EXPECT_EQ(describe("ticker").last_reason, "kill");
}

TEST_F(exposed_test, says_that_a_message_was_not_taken_by_an_actor_that_died) {
  auto a = send("ticker", "-1");
  auto b = send("ticker", "1");
  run();
  EXPECT_EQ(a->outcome(), "instance_lost/unknown");
  EXPECT_EQ(b->outcome(), "instance_lost/none");
  EXPECT_EQ(state->seen, (std::vector{-1}));
  advance(20ms);
  EXPECT_EQ(call("ticker", "1"), "2");
}

TEST_F(exposed_test, restarts_an_actor_that_ended_normally_and_counts_it) {
  EXPECT_EQ(call("ticker", "-8"), "-8");
  advance(20ms);
  EXPECT_EQ(state->starts, 2);
  EXPECT_EQ(describe("ticker").last_reason, "normal");
  call("ticker", "-2");
  advance(20ms);
  call("ticker", "-8");
  EXPECT_EQ(describe("ticker").state, "quarantined");
}

TEST_F(exposed_test, waits_longer_before_each_restart) {
  kill_actor();
  advance(20ms);
  kill_actor();
  EXPECT_EQ(describe("ticker").state, "waiting");
  advance(20ms); // the cap
  EXPECT_EQ(describe("ticker").state, "up");
}

TEST_F(exposed_test, is_quarantined_when_its_actor_dies_too_often) {
  crash_thrice();
  EXPECT_EQ(describe("ticker").state, "quarantined");
  auto x = send("ticker", "1");
  EXPECT_EQ(x->outcome(), "quarantined/none"); // at once
  EXPECT_EQ(x->failure()->retry_after_s(), 1u);
  EXPECT_TRUE(stats("ticker").quarantined);
  EXPECT_EQ(stats("ticker").restarts, 3u);
}

TEST_F(exposed_test, refuses_waiting_calls_when_it_is_quarantined) {
  call("ticker", "-1");
  advance(20ms);
  call("ticker", "-1");
  advance(20ms);
  auto a = send("ticker", "-1");
  auto b = send("ticker", "-3");
  auto c = send("ticker", "1");
  run();
  EXPECT_EQ(c->outcome(), "quarantined/none");
}

TEST_F(exposed_test, lets_one_call_in_after_the_cool_down_and_reopens) {
  crash_thrice();
  advance(1s);
  EXPECT_EQ(state->starts, 4);
  EXPECT_EQ(describe("ticker").state, "probing");
  auto probe = send("ticker", "-3");
  run();
  EXPECT_EQ(call("ticker", "1"), "quarantined/none");
  keep_promise(state->promises.size() - 1, 1);
  run();
  EXPECT_EQ(probe->outcome(), "1");
  EXPECT_EQ(describe("ticker").state, "up");
  EXPECT_EQ(call("ticker", "1"), "2");
}

TEST_F(exposed_test, reopens_when_the_probe_is_answered_with_an_error) {
  crash_thrice();
  advance(1s);
  EXPECT_EQ(call("ticker", "-4"), "caf::sec::invalid_argument/ran");
  EXPECT_EQ(describe("ticker").state, "up");
}

TEST_F(exposed_test, rests_for_longer_when_the_probe_kills_the_actor) {
  crash_thrice();
  advance(1s);
  EXPECT_EQ(call("ticker", "-1"), "instance_lost/unknown");
  EXPECT_EQ(describe("ticker").state, "quarantined");
  advance(1900ms);
  EXPECT_EQ(call("ticker", "1"), "quarantined/none");
  advance(100ms);
  EXPECT_EQ(call("ticker", "1"), "2");
  EXPECT_EQ(describe("ticker").state, "up");
}

TEST_F(exposed_test, probes_again_when_a_probe_tells_nothing) {
  crash_thrice();
  advance(1s);
  EXPECT_EQ(call("ticker", "no number"), "bad_request/none");
  auto never = send("ticker", "-3", 100ms);
  advance(200ms);
  EXPECT_EQ(never->outcome(), "deadline_exceeded/unknown");
  auto gone = send("ticker", "1");
  gone->abandon();
  run();
  EXPECT_EQ(describe("ticker").state, "probing");
  EXPECT_EQ(call("ticker", "1"), "2");
  EXPECT_EQ(describe("ticker").state, "up");
}

TEST_F(exposed_test, reopens_when_nobody_calls_and_the_actor_stays_up) {
  crash_thrice();
  advance(1s + defaults::exposed::settled);
  EXPECT_EQ(describe("ticker").state, "up");
  EXPECT_EQ(state->starts, 4);
}

TEST_F(exposed_test, counts_a_factory_that_throws_as_a_crash) {
  auto tries = std::make_shared<int>(0);
  module m;
  m.expose(
    "broken",
    [tries](caf::actor_system& sys) -> caf::actor {
      if (++*tries < 5)
        throw std::runtime_error{"no ticker today"};
      return sys.spawn(ticker, std::make_shared<witness>());
    },
    signature<int(int)>{});
  exposed_options options;
  options.quarantine.intensity = 1;
  serve(m, {}, options);
  advance(100ms);
  EXPECT_EQ(*tries, 2);
  EXPECT_EQ(describe("broken").state, "quarantined");
  EXPECT_NE(describe("broken").last_reason.find("no ticker today"),
            std::string::npos);
  advance(1s + 2s + 4s);
  EXPECT_EQ(call("broken", "1"), "2");
}

// -- the keeper ----------------------------------------------------------------

TEST_F(exposed_test, drains_what_is_in_flight_and_refuses_what_is_new) {
  auto a = send("ticker", "-3");
  auto b = send("ticker", "-3");
  auto c = send("ticker", "1");
  run();
  caf::anon_send(keepers.at("ticker"), atom::drain::value);
  run();
  EXPECT_EQ(call("ticker", "1"), "shutting_down/none");
  EXPECT_EQ(describe("ticker").state, "stopping");
  auto actor = exposed.at("ticker")->actor();
  EXPECT_FALSE(ended(actor));
  keep_promise(0, 5);
  keep_promise(1, 6);
  run();
  EXPECT_EQ(a->outcome(), "5");
  EXPECT_EQ(b->outcome(), "6");
  EXPECT_EQ(c->outcome(), "2");
  EXPECT_EQ(ended(actor), caf::error{caf::exit_reason::user_shutdown});
  EXPECT_EQ(ended(keepers.at("ticker")),
            caf::error{caf::exit_reason::user_shutdown});
}

TEST_F(exposed_test, drains_although_its_last_caller_went_away) {
  auto a = send("ticker", "-3");
  run();
  caf::anon_send(keepers.at("ticker"), atom::drain::value);
  run();
  a->abandon();
  advance(defaults::function::sweep);
  EXPECT_TRUE(ended(keepers.at("ticker")));
}

TEST_F(exposed_test, kills_an_actor_that_does_not_stop) {
  module m;
  caf::actor stubborn;
  m.expose("stubborn", [&](caf::actor_system& sys) {
    return stubborn = sys.spawn([](caf::event_based_actor* self) {
      self->set_exit_handler([](caf::exit_msg&) {});
      return caf::behavior{[](int x) { return x; }};
    });
  });
  serve(m);
  caf::anon_send_exit(keepers.at("stubborn"), caf::exit_reason::user_shutdown);
  run();
  EXPECT_FALSE(ended(stubborn));
  advance(defaults::exposed::stop_limit);
  EXPECT_EQ(ended(stubborn), caf::error{caf::exit_reason::kill});
  EXPECT_TRUE(ended(keepers.at("stubborn")));
}

TEST_F(exposed_test, takes_the_actor_along_and_answers_all_when_it_is_killed) {
  auto a = send("ticker", "-3");
  auto b = send("ticker", "-3");
  auto c = send("ticker", "1");
  run();
  auto actor = exposed.at("ticker")->actor();
  caf::anon_send_exit(keepers.at("ticker"), caf::exit_reason::kill);
  auto d = send("ticker", "1"); // behind the kill, in the mailbox
  run();
  EXPECT_EQ(a->outcome(), "instance_lost/unknown");
  EXPECT_EQ(b->outcome(), "instance_lost/unknown");
  EXPECT_EQ(c->outcome(), "shutting_down/none");
  EXPECT_EQ(d->outcome(), "shutting_down/none");
  EXPECT_TRUE(ended(actor));
  EXPECT_EQ(call("ticker", "1"), "shutting_down/none");
  EXPECT_EQ(stats("ticker").queued, 0u);
}

TEST_F(exposed_test, serves_again_after_its_keeper_was_restarted) {
  crash_thrice();
  caf::anon_send_exit(keepers.at("ticker"), caf::exit_reason::kill);
  run();
  start_keeper(exposed.at("ticker"));
  EXPECT_EQ(call("ticker", "1"), "2");
}

} // namespace
} // namespace troupe
