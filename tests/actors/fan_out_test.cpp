// A fan-out in virtual time: how many calls are under way, in which order the
// answers are, and what is said of each input when something is in the way.

#include "actors/routing/fan_out.hpp"

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/support/function_fixture.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

/// Calls the function `name` with the numbers from 0, and notes what comes.
class numbers final : public fan_out_work {
public:
  numbers(std::string name, size_t count)
    : outcomes(count, "open"), name_(std::move(name)) {}

  size_t size() const override { return outcomes.size(); }

  expected<call_target_ptr> target(call_port& port) override {
    return port.function(name_);
  }

  invocation_ptr make(size_t i) override {
    ++made;
    if (i == refused)
      throw std::out_of_range("not this one");
    auto body = input ? input(i) : std::to_string(i);
    return caf::make_counted<fanned<raw_invocation>>(payload{body, {}});
  }

  void done(size_t i, invocation& call) override {
    if (auto reason = call.failure())
      return note(i, text_of(*reason));
    note(i, static_cast<raw_invocation&>(call).result().bytes);
  }

  void failed(size_t i, error reason) override { note(i, text_of(reason)); }

  size_t count(const std::string& outcome) const {
    return static_cast<size_t>(
      std::count(outcomes.begin(), outcomes.end(), outcome));
  }

  std::vector<std::string> outcomes;
  std::vector<size_t> order; // in which they ended
  std::function<std::string(size_t)> input;
  size_t made = 0;
  size_t refused = SIZE_MAX;

private:
  static std::string text_of(const error& reason) {
    return std::string{reason.type()} + "/"
           + std::string{to_string(reason.what_happened())};
  }

  void note(size_t i, std::string outcome) {
    EXPECT_EQ(outcomes[i], "open") << "input " << i << " ended twice";
    outcomes[i] = std::move(outcome);
    order.push_back(i);
  }

  std::string name_;
};

class fan_out_test : public testing::function_fixture {
protected:
  /// A handler that runs; also one that is given up.
  struct counted {
    explicit counted(fan_out_test& test) : self(test) {
      self.most = std::max(self.most, ++self.under_way);
    }

    ~counted() { --self.under_way; }

    fan_out_test& self;
  };

  void SetUp() override {
    module m;
    m.function("echo", [](int x) { return x; });
    m.function("sleep", [this](context& ctx, int ms) -> task<int> {
      counted here{*this};
      co_await ctx.sleep(std::chrono::milliseconds{ms});
      co_return ms;
    });
    m.function("narrow",
               [this](context& ctx, int x) -> task<int> {
                 counted here{*this};
                 co_await ctx.sleep(10ms);
                 co_return x;
               })
      .concurrency(2)
      .queue(3);
    m.function("odd", [](int x) {
      if (x % 2 != 0)
        throw std::runtime_error("odd");
      return x;
    });
    m.function("short",
               [](context& ctx, int x) -> task<int> {
                 co_await ctx.sleep(1s);
                 co_return x;
               })
      .timeout(100ms);
    m.function("key", [this](context& ctx, int) {
      keys.insert(std::string{ctx.routing_key()});
    });
    serve(m);
  }

  fan_out_options options(size_t parallel, std::chrono::nanoseconds time = 1h) {
    return {parallel, now() + time};
  }

  /// Steps as often as its owner would.
  void drive(fan_out& x) {
    do {
      woken = 0;
      while (x.step()) {
      }
      run();
    } while (woken > 0);
  }

  /// Lets time pass until all is answered; at most `time`.
  void finish(fan_out& x, std::chrono::nanoseconds time = 1h) {
    auto end = now() + time;
    drive(x);
    while (!x.done() && now() < end) {
      advance(1ms);
      drive(x);
    }
    EXPECT_TRUE(x.done());
    EXPECT_EQ(x.running(), 0u);
  }

  std::function<void()> wake() {
    return [this] { ++woken; };
  }

  int woken = 0;
  int under_way = 0;
  int most = 0;
  std::set<std::string> keys;
};

TEST_F(fan_out_test, answers_every_input_in_its_place) {
  numbers work{"echo", 1'000};
  fan_out x{port, work, options(7), wake()};
  finish(x);
  for (size_t i = 0; i < 1'000; ++i)
    ASSERT_EQ(work.outcomes[i], std::to_string(i));
}

TEST_F(fan_out_test, is_done_at_once_without_inputs) {
  numbers work{"echo", 0};
  fan_out x{port, work, options(7), wake()};
  EXPECT_FALSE(x.step());
  EXPECT_TRUE(x.done());
}

TEST_F(fan_out_test, has_never_more_calls_under_way_than_it_may) {
  for (size_t parallel : {1, 3, 64, 1024}) {
    most = 0;
    numbers work{"sleep", 150};
    work.input = [](size_t i) { return std::to_string(i % 17 + 1); };
    fan_out x{port, work, options(parallel), wake()};
    finish(x);
    EXPECT_EQ(most, static_cast<int>(std::min<size_t>(parallel, 150)));
    EXPECT_EQ(under_way, 0);
  }
}

TEST_F(fan_out_test, takes_as_long_as_its_waves) {
  numbers work{"sleep", 100};
  work.input = [](size_t) { return "50"; };
  fan_out x{port, work, options(25), wake()};
  auto begin = now();
  finish(x);
  EXPECT_GE(now() - begin, 4 * 50ms);
  EXPECT_LE(now() - begin, 4 * 60ms);
}

TEST_F(fan_out_test, a_slow_call_holds_up_nobody_but_itself) {
  numbers work{"sleep", 100};
  work.input = [](size_t i) { return i == 0 ? "5000" : "10"; };
  fan_out x{port, work, options(2), wake()};
  finish(x);
  EXPECT_EQ(work.order.back(), 0u);
  EXPECT_EQ(work.outcomes[0], "5000");
  EXPECT_EQ(work.count("10"), 99u);
}

TEST_F(fan_out_test, goes_on_after_failures) {
  numbers work{"odd", 20};
  work.refused = 4;
  fan_out x{port, work, options(3), wake()};
  finish(x);
  for (size_t i = 0; i < 20; ++i)
    EXPECT_EQ(work.outcomes[i], i == 4       ? "std::out_of_range/none"
                                : i % 2 == 1 ? "std::runtime_error/ran"
                                             : std::to_string(i));
}

TEST_F(fan_out_test, says_of_each_input_that_there_is_no_such_function) {
  numbers work{"nobody", 1'000};
  fan_out x{port, work, options(3), wake()};
  finish(x);
  EXPECT_EQ(work.count("not_found/none"), 1'000u);
  EXPECT_EQ(work.made, 0u);
}

TEST_F(fan_out_test, begins_a_bounded_number_of_calls_at_a_time) {
  numbers work{"nobody", 1'000};
  fan_out x{port, work, options(1024), wake()};
  EXPECT_TRUE(x.step());
  EXPECT_GT(work.order.size(), 0u);
  EXPECT_LE(work.order.size(), 128u);
}

TEST_F(fan_out_test, says_what_became_of_each_call_at_the_deadline) {
  numbers work{"sleep", 10};
  work.input = [](size_t i) { return i < 2 ? "10" : "1000"; };
  fan_out x{port, work, options(4, 100ms), wake()};
  finish(x, 105ms);
  EXPECT_EQ(work.count("10"), 2u);
  EXPECT_EQ(work.count("deadline_exceeded/unknown"), 4u);
  EXPECT_EQ(work.count("deadline_exceeded/none"), 4u);
  EXPECT_EQ(work.outcomes[9], "deadline_exceeded/none");
  EXPECT_EQ(work.made, 6u);
}

TEST_F(fan_out_test, a_call_that_waits_in_a_queue_has_not_begun) {
  numbers work{"narrow", 4};
  fan_out x{port, work, options(4, 5ms), wake()};
  finish(x, 10ms);
  EXPECT_EQ(work.count("deadline_exceeded/unknown"), 2u);
  EXPECT_EQ(work.count("deadline_exceeded/none"), 2u);
  advance(1s);
  EXPECT_EQ(most, 2);
}

TEST_F(fan_out_test, needs_nobody_else_to_end_its_calls_at_the_deadline) {
  deadlines.on_armed({}); // the keeper does not notice that time passes
  numbers work{"sleep", 3};
  work.input = [](size_t) { return "1000"; };
  fan_out x{port, work, options(2, 100ms), wake()};
  drive(x);
  advance(100ms);
  EXPECT_EQ(work.order.size(), 0u);
  x.step();
  EXPECT_TRUE(x.done());
  EXPECT_EQ(work.count("deadline_exceeded/unknown"), 2u);
  EXPECT_EQ(work.outcomes[2], "deadline_exceeded/none");
}

TEST_F(fan_out_test, each_call_ends_at_the_functions_own_time) {
  numbers work{"short", 4};
  fan_out x{port, work, options(2), wake()};
  auto begin = now();
  finish(x);
  EXPECT_EQ(work.count("deadline_exceeded/unknown"), 4u);
  EXPECT_LE(now() - begin, 220ms);
}

TEST_F(fan_out_test, waits_for_room_where_a_queue_is_small) {
  numbers work{"narrow", 200};
  fan_out x{port, work, options(64), wake()};
  finish(x);
  for (size_t i = 0; i < 200; ++i)
    ASSERT_EQ(work.outcomes[i], std::to_string(i));
  EXPECT_EQ(most, 2);
  EXPECT_LT(work.made, 1'000u);
}

TEST_F(fan_out_test, says_that_there_is_no_room_if_none_of_its_own_makes_any) {
  for (int i = 0; i < 5; ++i)
    send("narrow", "1");
  numbers work{"narrow", 10};
  fan_out x{port, work, options(4), wake()};
  drive(x);
  EXPECT_TRUE(x.done());
  EXPECT_EQ(work.count("too_many_requests/none"), 10u);
  EXPECT_LE(work.made, 40u);
}

TEST_F(fan_out_test, gives_each_call_of_a_function_a_routing_key_of_its_own) {
  numbers work{"key", 50};
  fan_out x{port, work, options(8), wake()};
  finish(x);
  EXPECT_EQ(keys.size(), 50u);
  EXPECT_EQ(keys.count(""), 0u);
}

TEST_F(fan_out_test, drops_what_has_not_begun_when_nobody_waits_any_more) {
  numbers work{"narrow", 100};
  fan_out x{port, work, options(4), wake()};
  drive(x);
  EXPECT_EQ(most, 2);
  x.stop();
  EXPECT_FALSE(x.step());
  advance(10s);
  EXPECT_EQ(under_way, 0); // two went on
  EXPECT_EQ(most, 2);
  EXPECT_EQ(work.made, 4u);
  EXPECT_EQ(work.order.size(), 0u);
  EXPECT_EQ(stats("narrow").calls, 2u);
  EXPECT_EQ(deadlines.size(), 0u);
}

TEST_F(fan_out_test, ends_with_what_runs_when_what_waits_is_dropped) {
  numbers work{"narrow", 100};
  fan_out x{port, work, options(4), wake()};
  drive(x);
  EXPECT_EQ(work.made, 4u); // two of which wait in the queue
  x.drop_waiting({errc::deadline_exceeded, effect::none, "gone"});
  EXPECT_FALSE(x.done());
  EXPECT_EQ(x.running(), 2u);
  EXPECT_EQ(work.count("deadline_exceeded/none"), 98u);
  finish(x, 1s);
  EXPECT_EQ(work.made, 4u);
  EXPECT_EQ(work.order.size(), 100u);
  EXPECT_EQ(stats("narrow").calls, 2u);
}

TEST_F(fan_out_test, answers_that_come_after_its_end_find_nobody) {
  numbers work{"sleep", 4};
  work.input = [](size_t) { return "20"; };
  {
    fan_out x{port, work, options(4), wake()};
    drive(x);
  }
  woken = 0;
  advance(1s);
  EXPECT_EQ(woken, 0);
  EXPECT_EQ(under_way, 0);
}

// -- any mixture ---------------------------------------------------------------

uint64_t seed_of_this_run() {
  auto given = std::getenv("TROUPE_TEST_SEED");
  auto seed =
    given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "TROUPE_TEST_SEED=" << seed << '\n';
  return seed;
}

// Whatever the sizes and times: each input ends once, with an outcome that fits
// what its handler did.
TEST_F(fan_out_test, keeps_its_word_for_any_mixture) {
  std::mt19937_64 random{seed_of_this_run()};
  auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>{0, n - 1}(random);
  };
  for (int round = 0; round < 100; ++round) {
    auto count = below(300);
    auto parallel = 1 + below(below(2) == 0 ? 8 : 1024);
    auto time = std::chrono::milliseconds{1 + below(400)};
    std::vector<size_t> sleeps(count);
    for (auto& x : sleeps)
      x = below(60);
    most = 0;
    numbers work{"sleep", count};
    work.input = [&](size_t i) { return std::to_string(sleeps[i]); };
    fan_out x{port, work, options(parallel, time), wake()};
    auto begin = now();
    finish(x, time + 6ms);
    EXPECT_LE(now() - begin, time + 6ms);
    EXPECT_LE(most, static_cast<int>(parallel));
    size_t unknown = 0;
    for (size_t i = 0; i < count; ++i) {
      auto& outcome = work.outcomes[i];
      unknown += outcome == "deadline_exceeded/unknown";
      EXPECT_TRUE(outcome == std::to_string(sleeps[i])
                  || outcome == "deadline_exceeded/unknown"
                  || outcome == "deadline_exceeded/none")
        << outcome;
    }
    EXPECT_LE(unknown, parallel);
    advance(1s);
    ASSERT_EQ(under_way, 0);
    if (HasFailure())
      return;
  }
}

} // namespace
} // namespace troupe
