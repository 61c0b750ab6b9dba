// Services on real threads over SQLite: what virtual time cannot show. Nothing
// here depends on how long anything takes.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <gtest/gtest.h>

#include "actors/core/module.hpp"
#include "actors/core/submit.hpp"
#include "actors/routing/call_port.hpp"
#include "actors/routing/deadline_ticker.hpp"
#include "actors/service/host.hpp"
#include "nodes/blocking_port.hpp"
#include "nodes/store/sqlite_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

struct counter {
  int value = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)

  int get() const { return value; }

  int increment() { return ++value; }

  int spoil() {
    ++value;
    throw std::runtime_error{"spoiled"};
  }

  task<int> pass_on(context& ctx, text key) {
    ++value;
    co_return co_await ctx.entity<counter>(key.value).call(&counter::increment);
  }
};

module served() {
  module m;
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment)
    .method("spoil", &counter::spoil)
    .method("pass_on", &counter::pass_on)
    .timeout(300s);
  return m;
}

/// One service of one node.
class small_node {
public:
  explicit small_node(const std::filesystem::path& folder,
                      service_options options = {})
    : store_(std::make_unique<sqlite_store>(folder)),
      system_(config_.set("scheduler.max-threads", size_t{3})),
      deadlines_(system_.clock().now()),
      ticker_(spawn_deadline_ticker(system_, deadlines_)) {
    auto& definition = module_.services().front();
    options.budget = budget_;
    auto target =
      caf::make_counted<service_target>(definition, *store_, env_, options);
    host_ = system_.spawn<host_actor>(target);
    auto table = std::make_shared<route_table>();
    table->services["counter"].host = target;
    table->services["counter"].definition = definition;
    table->classes[*definition->type] = definition;
    routes_.publish(table);
  }

  ~small_node() {
    end_host();
    caf::scoped_actor {
      system_
      } -> wait_for(std::exchange(host_, nullptr));
    budget_->wait_until_all_ended();
    store_.reset(); // its last answers need the actor system
    deadlines_.on_armed({});
    caf::anon_send_exit(ticker_, caf::exit_reason::user_shutdown);
  }

  /// Calls from a plain thread.
  expected<int> call(std::string key, std::string method,
                     std::string body = {}) {
    call_port port{system_, env_};
    auto target = port.service("counter").value();
    auto call = caf::make_counted<raw_invocation>(payload{std::move(body), {}});
    blocking_port waiter;
    call->port = &waiter;
    call->entity = std::make_unique<entity_call>(
      entity_call{"counter", std::move(key), std::move(method)});
    port.prepare(*call, *target, {});
    lender thread{system_, nullptr, true};
    target->submit(call, thread);
    if (auto late = waiter.wait(*call))
      return *late;
    if (auto reason = call->failure())
      return *reason;
    return std::stoi(call->result().bytes);
  }

  /// All that is pending is answered; so is what comes later.
  void end_host() {
    caf::anon_send_exit(host_, caf::exit_reason::user_shutdown);
  }

private:
  module module_ = served();
  caf::actor_system_config config_;
  std::unique_ptr<sqlite_store> store_;
  std::shared_ptr<activation_budget> budget_ =
    std::make_shared<activation_budget>();
  caf::actor_system system_;
  route_source routes_;
  deadline_keeper deadlines_;
  call_environment env_{routes_, deadlines_, true};
  caf::actor ticker_;
  caf::actor host_;
};

template <class F>
void on_threads(int count, F f) {
  std::vector<std::thread> all;
  for (int i = 0; i < count; ++i)
    all.emplace_back([=] { f(i); });
  for (auto& x : all)
    x.join();
}

TEST(service_on_disk, has_every_change_once_from_many_threads) {
  testing::temporary_folder folder;
  constexpr int threads = 6;
  constexpr int rounds = 100;
  {
    small_node node{folder.path()};
    on_threads(threads, [&](int) {
      for (int i = 0; i < rounds; ++i) {
        auto key = "k" + std::to_string(i % 4);
        EXPECT_TRUE(node.call(key, "increment"));
        EXPECT_EQ(node.call(key, "spoil").error().what_happened(), effect::ran);
      }
    });
  }
  small_node node{folder.path()};
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(node.call("k" + std::to_string(i), "get"), threads * rounds / 4);
}

TEST(service_on_disk, loses_no_call_while_entities_come_and_go) {
  testing::temporary_folder folder;
  service_options options;
  options.idle_time = 1ms;
  small_node node{folder.path(), options};
  on_threads(4, [&](int thread) {
    for (int i = 0; i < 300; ++i) {
      auto x =
        node.call("k" + std::to_string((i * 7 + thread) % 5), "increment");
      EXPECT_TRUE(x) << x.error().message();
    }
  });
  int sum = 0;
  for (int i = 0; i < 5; ++i)
    sum += node.call("k" + std::to_string(i), "get").value();
  EXPECT_EQ(sum, 1200);
}

TEST(service_on_disk, passes_calls_on_between_entities) {
  testing::temporary_folder folder;
  small_node node{folder.path()};
  on_threads(4, [&](int thread) {
    for (int i = 0; i < 50; ++i)
      EXPECT_TRUE(
        node.call("a" + std::to_string(thread), "pass_on", "\"shared\""));
  });
  EXPECT_EQ(node.call("shared", "get"), 200);
  EXPECT_EQ(node.call("a0", "get"), 50);
}

TEST(service_on_disk, answers_every_call_when_it_ends_under_load) {
  testing::temporary_folder folder;
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> acknowledged{0};
    std::atomic<int> maybe{0};
    std::vector<std::thread> all;
    std::atomic<int> begun{0};
    int before = 0;
    {
      auto node = std::make_unique<small_node>(folder.path());
      before = node->call("k", "get").value();
      std::atomic<bool> over{false};
      for (int i = 0; i < 4; ++i)
        all.emplace_back([&] {
          while (!over) {
            auto x = node->call("k", "increment");
            ++begun;
            if (x)
              ++acknowledged;
            else if (x.error().what_happened() == effect::unknown)
              ++maybe;
          }
        });
      while (begun < 40 * round)
        std::this_thread::yield();
      node->end_host();
      over = true;
      for (auto& x : all)
        x.join();
    }
    small_node node{folder.path()};
    auto after = node.call("k", "get").value();
    EXPECT_GE(after - before, acknowledged);
    EXPECT_LE(after - before, acknowledged + maybe);
  }
}

} // namespace
} // namespace troupe
