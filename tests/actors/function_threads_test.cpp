// The call path on real threads, with callers that run instances themselves.
// Goal: no hand-over loses a call or a slot, whoever dies when. Method: several
// threads call as fast as they can while instances, pools and exposed actors are
// killed under them; every call must be answered exactly once, and at the end
// all places must be there again. ThreadSanitizer sees the rest.

#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/core/deadline_keeper.hpp"
#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/function/exposed_keeper.hpp"
#include "actors/function/instance.hpp"
#include "actors/function/pool.hpp"
#include "actors/routing/call_port.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "actors/supervision/supervisor.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

constexpr auto thread_count = 4u;

/// A call that a thread waits for.
class awaited final : public typed_invocation<int(int)>, public reply_port {
public:
  explicit awaited(int x) : typed_invocation<int(int)>(x) { port = this; }

  void answered(invocation&, caf::execution_unit*) noexcept override {
    answers.fetch_add(1);
    answers.notify_all();
  }

  void wait() { answers.wait(0); }

  std::atomic<int> answers{0};
};

using awaited_ptr = caf::intrusive_ptr<awaited>;

/// The actors that serve, for those that kill.
class victims {
public:
  void add(caf::actor x) {
    std::lock_guard guard{mutex_};
    if (members_.size() == 16)
      members_.erase(members_.begin());
    members_.push_back(std::move(x));
  }

  void kill_one(uint64_t random) {
    std::lock_guard guard{mutex_};
    if (!members_.empty())
      caf::anon_send_exit(members_[random % members_.size()],
                          caf::exit_reason::kill);
  }

  void clear() {
    std::lock_guard guard{mutex_};
    members_.clear();
  }

private:
  std::mutex mutex_;
  std::vector<caf::actor> members_;
};

caf::actor self_of(context& ctx) {
  return caf::actor{&dynamic_cast<instance&>(ctx.host())};
}

class function_threads_test : public ::testing::Test {
public:
  function_threads_test() {
    ticker_ = spawn_deadline_ticker(system_, deadlines_);
    options_.quarantine.intensity = 1'000'000;
    module_
      .function("twice",
                [this](context& ctx, int x) {
                  if (x % 16 == 0)
                    alive_.add(self_of(ctx));
                  return 2 * x;
                })
      .concurrency(3);
    module_
      .function("outer",
                [this](context& ctx, int x) -> task<int> {
                  if (x % 16 == 0)
                    alive_.add(self_of(ctx));
                  auto twice = co_await ctx.function<int(int)>("twice")(x);
                  co_return co_await ctx.function<int(int)>("pause")(twice);
                })
      .concurrency(3);
    module_
      .function("pause",
                [](context& ctx, int x) -> task<int> {
                  co_await ctx.sleep(1us);
                  co_return x;
                })
      .concurrency(3);
    // Kills itself, and answers nevertheless.
    module_
      .function("last_words",
                [](context& ctx, int x) {
                  if (x % 7 == 0)
                    caf::anon_send_exit(self_of(ctx), caf::exit_reason::kill);
                  return 2 * x;
                })
      .concurrency(3);
    // Ends when three of them run at once.
    module_
      .function("meet",
                [this](context& ctx, int x) -> task<int> {
                  alive_.add(self_of(ctx));
                  ++met_;
                  while (met_.load() < 3)
                    co_await ctx.sleep(1ms);
                  co_return 2 * x;
                })
      .concurrency(3);
  }

  ~function_threads_test() override {
    alive_.clear();
    routes_.publish(std::make_shared<route_table>());
    for (auto& x : owned_)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(ticker_, caf::exit_reason::kill);
    owned_.clear();
    ticker_ = nullptr;
    deadlines_.on_armed({});
    system_.await_all_actors_done();
  }

  void TearDown() override {
    if (HasFailure())
      std::fprintf(stderr, "seed %u\n", seed_);
  }

protected:
  /// Serves the module, each pool under a supervisor that restarts it.
  void serve() {
    auto table = std::make_shared<route_table>();
    for (auto& x : module_.functions()) {
      auto target =
        caf::make_counted<function_target>(system_, x, 1, x->limits, env_);
      table->functions[x->name].latest = target;
      supervise(x->name, [this, target](caf::local_actor* parent) {
        auto pool = parent->home_system().spawn<pool_actor>(target, options_);
        pools_.add(pool);
        return pool;
      });
    }
    for (auto& x : module_.exposed()) {
      auto target =
        caf::make_counted<exposed_target>(system_, x, x->limits, env_);
      exposed_options options;
      options.quarantine.intensity = 1'000'000;
      options.backoff = {};
      table->functions[x->name].latest = target;
      supervise(x->name, [target, options](caf::local_actor* parent) {
        return parent->home_system().spawn<exposed_keeper>(target, options);
      });
    }
    routes_.publish(table);
    for (auto& x : module_.functions())
      until_served(x->name);
    for (auto& x : module_.exposed())
      until_served(x->name);
  }

  awaited_ptr begin(call_port& port, const std::string& name, int x) {
    auto call = caf::make_counted<awaited>(x);
    auto target = *port.function(name);
    port.prepare(*call, *target, {});
    submit_watched(env_, *target, call, system_, nullptr);
    return call;
  }

  /// Calls from several threads; `expected` says whether an error may be.
  template <class Expected>
  void call_from_threads(const std::vector<std::string>& names, int calls,
                         Expected expected) {
    std::vector<std::thread> threads;
    for (auto t = 0u; t < thread_count; ++t)
      threads.emplace_back([&, random = std::mt19937_64{seed_ + t}]() mutable {
        call_port port{system_, env_};
        for (int i = 0; i < calls; ++i) {
          auto x = static_cast<int>(random() % 1000);
          auto call = begin(port, names[random() % names.size()], x);
          if (random() % 8 == 0 && call->abandon())
            continue;
          call->wait();
          if (auto reason = call->failure())
            EXPECT_TRUE(expected(*reason)) << reason->to_json();
          else
            EXPECT_EQ(call->take_result(), 2 * x);
          EXPECT_EQ(call->answers, 1);
          ++answered_;
        }
      });
    for (auto& t : threads)
      t.join();
  }

  /// Runs `f` again and again until `done`.
  template <class F>
  std::thread again(std::atomic<bool>& done, F f) {
    return std::thread{[&done, f, random = std::mt19937_64{seed_}]() mutable {
      while (!done.load()) {
        f(random());
        std::this_thread::yield();
      }
    }};
  }

  /// All slots of "meet" are there: a slot that was lost would let the calls
  /// wait for each other until their deadline.
  void expect_all_slots_of_meet() {
    call_port port{system_, env_};
    for (auto met = false; !met && !HasFailure();) {
      met_ = 0;
      met = true;
      std::vector<awaited_ptr> calls;
      for (int i = 0; i < 3; ++i)
        calls.push_back(begin(port, "meet", i));
      for (auto& x : calls) {
        x->wait();
        if (!x->failure())
          continue;
        met = false; // by a kill that was still under way
        met_ = 3;
        EXPECT_TRUE(*x->failure() == errc::instance_lost)
          << x->failure()->to_json();
      }
    }
  }

  /// Nested calls of calls that were given up may be under way for a while.
  void expect_no_deadline_left() {
    for (int i = 0; i < 100'000'000 && deadlines_.size() > 0; ++i)
      std::this_thread::yield();
    EXPECT_EQ(deadlines_.size(), 0u);
  }

  void until_served(const std::string& name) {
    call_port port{system_, env_};
    for (;;) {
      auto call = begin(port, name, 1);
      call->wait();
      if (!call->failure() || !(*call->failure() == errc::shutting_down))
        return;
    }
  }

  template <class Start>
  void supervise(const std::string& name, Start start) {
    supervisor_options options;
    options.intensity = 1'000'000;
    options.period = 1h;
    child_spec child;
    child.id = name;
    child.start =
      [start](caf::local_actor* parent) -> caf::expected<caf::actor> {
      return start(parent);
    };
    auto x = supervisor(system_, options, {child});
    ASSERT_TRUE(x);
    owned_.push_back(caf::actor_cast<caf::actor>(*x));
  }

  static caf::actor_system_config& configure(caf::actor_system_config& config) {
    config.set("scheduler.max-threads", 2);
    config.set("scheduler.max-throughput", 50);
    config.set("logger.console", caf::atom("none"));
    return config;
  }

  const unsigned seed_ = std::random_device{}();
  route_source routes_;
  caf::actor_system_config config_;
  caf::actor_system system_{configure(config_)};
  deadline_keeper deadlines_{system_.clock().now()};
  call_environment env_{routes_, deadlines_, true};
  pool_options options_;
  module module_;
  victims alive_;
  victims pools_;
  std::atomic<int> met_{3};
  std::atomic<int> answered_{0};

private:
  caf::actor ticker_;
  std::vector<caf::actor> owned_;
};

bool is_lost_or_full(const error& x) {
  return x == errc::instance_lost || x == errc::too_many_requests;
}

TEST_F(function_threads_test, answers_every_call_once) {
  serve();
  call_from_threads({"twice", "outer"}, 3'000,
                    [](const error&) { return false; });
  EXPECT_GT(answered_, 0);
  expect_no_deadline_left();
}

TEST_F(function_threads_test, answers_every_call_while_instances_are_killed) {
  serve();
  std::atomic<bool> done{false};
  auto killer = again(done, [this](uint64_t x) { alive_.kill_one(x); });
  call_from_threads({"twice", "outer"}, 2'000, is_lost_or_full);
  done = true;
  killer.join();
  EXPECT_GT(answered_, 0);
  expect_no_deadline_left();
}

TEST_F(function_threads_test, answers_the_call_in_which_an_instance_is_killed) {
  serve();
  // The kill comes as a message: whoever runs the handler has its result first.
  call_from_threads({"last_words"}, 2'000, is_lost_or_full);
  expect_no_deadline_left();
}

TEST_F(function_threads_test, loses_no_slot_when_instances_are_killed) {
  serve();
  std::atomic<bool> done{false};
  auto killer = again(done, [this](uint64_t x) { alive_.kill_one(x); });
  call_from_threads({"meet"}, 2'000, is_lost_or_full);
  done = true;
  killer.join();
  expect_all_slots_of_meet();
}

TEST_F(function_threads_test, loses_no_slot_when_its_pool_is_killed) {
  serve();
  std::atomic<bool> done{false};
  auto killer = again(done, [this](uint64_t x) { pools_.kill_one(x); });
  call_from_threads({"twice", "last_words", "meet"}, 1'000, [](const error& x) {
    return is_lost_or_full(x) || x == errc::shutting_down;
  });
  done = true;
  killer.join();
  pools_.clear();
  until_served("meet");
  expect_all_slots_of_meet();
  expect_no_deadline_left();
}

TEST_F(function_threads_test, retires_and_starts_instances_under_load) {
  options_.idle_time = 1us;
  serve();
  call_from_threads({"twice", "outer"}, 2'000,
                    [](const error&) { return false; });
  expect_all_slots_of_meet();
}

TEST_F(function_threads_test, answers_every_call_of_an_actor_that_dies) {
  module_.expose(
    "mortal",
    [](caf::actor_system& sys) {
      return sys.spawn([](caf::event_based_actor* self) -> caf::behavior {
        self->set_exception_handler(
          [](caf::scheduled_actor*, std::exception_ptr&) -> caf::error {
            return caf::sec::runtime_error;
          });
        return {[](int x) {
          if (x % 50 == 0)
            throw std::runtime_error{"fifty"};
          return 2 * x;
        }};
      });
    },
    signature<int(int)>{});
  serve();
  call_from_threads({"mortal"}, 2'000, is_lost_or_full);
  EXPECT_GT(answered_, 0);
  expect_no_deadline_left();
}

TEST_F(function_threads_test, ends_calls_once_whoever_ends_them) {
  std::vector<awaited_ptr> calls;
  auto start = system_.clock().now();
  for (int i = 0; i < 2'000; ++i) {
    calls.push_back(caf::make_counted<awaited>(i));
    calls.back()->deadline = start + 1ms * (i % 50);
  }
  deadline_keeper keeper{start};
  std::vector<int> given_up(calls.size());
  std::thread adder{[&] {
    for (auto& x : calls)
      keeper.add(x);
  }};
  std::thread finisher{[&] {
    for (size_t i = 0; i < calls.size(); i += 2)
      calls[i]->finish(error{errc::lock_held, ""}, nullptr);
  }};
  std::thread leaver{[&] {
    for (size_t i = 0; i < calls.size(); i += 3)
      given_up[i] = calls[i]->abandon().has_value();
  }};
  for (int i = 0; i < 40; ++i)
    keeper.expire(start + 1ms * i, nullptr);
  adder.join();
  finisher.join();
  leaver.join();
  keeper.expire(start + 1s, nullptr);
  EXPECT_EQ(keeper.size(), 0u);
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i]->answers, given_up[i] ? 0 : 1) << i;
    EXPECT_EQ(calls[i]->get_reference_count(), 1u) << i;
  }
}

} // namespace
} // namespace troupe
