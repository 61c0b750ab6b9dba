// The same on all threads of a node, in real time.

#include <atomic>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "actors/core/submit.hpp"
#include "nodes/assembly.hpp"
#include "nodes/store/memory_store.hpp"
#include "tests/support/call_graphs.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

/// What became of all calls.
struct tally {
  std::atomic<size_t> answered{0};
  std::atomic<size_t> succeeded{0};
  std::atomic<int64_t> latest_ns{INT64_MIN}; // answered after the deadline
};

class root_call final : public raw_invocation, public reply_port {
public:
  root_call(payload body, tally& all)
    : raw_invocation(std::move(body)), all_(all) {
    port = this;
    ref(); // until it is answered
  }

  void answered(invocation& call, caf::execution_unit*) noexcept override {
    int64_t late = (std::chrono::steady_clock::now() - call.deadline).count();
    auto latest = all_.latest_ns.load();
    while (late > latest && !all_.latest_ns.compare_exchange_weak(latest, late))
      ;
    all_.succeeded += call.failure() == nullptr;
    ++all_.answered;
    all_.answered.notify_all();
    deref();
  }

private:
  tally& all_;
};

TEST(call_graph_load, loses_none_of_two_hundred_thousand_calls) {
  auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  tally all; // the node's threads write to it until they end
  assembly node{{}, std::make_unique<memory_store>()};
  ASSERT_TRUE(node.install("test", testing::visited_module()));
  testing::plan_maker plans{seed, 1000};
  size_t visits = 0;
  size_t roots = 0;
  auto port = node.port();
  auto target = port.service("visited").value();
  while (visits < 200'000) {
    // As many at once as a service takes, and some more.
    while (roots - all.answered > 500)
      std::this_thread::yield();
    auto plan = plans.make();
    visits += plan.size();
    ++roots;
    auto call =
      caf::make_counted<root_call>(payload{json(plan).dump(), {}}, all);
    call->entity =
      std::make_unique<entity_call>(entity_call{"visited", plan.key, "visit"});
    port.prepare(*call, *target, 5s);
    submit_watched(node.environment(), *target, call, node.system(), nullptr);
  }
  // Every answer comes, or ctest ends the test.
  for (auto n = all.answered.load(); n < roots; n = all.answered.load())
    all.answered.wait(n);
  std::cout << visits << " calls of " << roots << " chains, " << all.succeeded
            << " succeeded; the latest answer came "
            << static_cast<double>(all.latest_ns) / 1e6
            << " ms after its deadline; a tick is "
            << static_cast<double>(node.deadlines().tick().count()) / 1e6
            << " ms; seed " << seed << "\n";
  EXPECT_GT(all.succeeded, roots / 4);
  EXPECT_TRUE(node.drain(10s));
}

} // namespace
} // namespace troupe
