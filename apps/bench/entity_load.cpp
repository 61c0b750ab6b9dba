#include "apps/bench/entity_load.hpp"

#include <deque>
#include <mutex>
#include <thread>

#include "actors/core/lender.hpp"
#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

struct shared_state {
  const entity_load& load;
  std::atomic<uint64_t> begun{0};
  std::atomic<uint64_t> done{0};
  std::atomic<bool> stop{false};
  std::atomic<unsigned> active{0};
  std::mutex mutex;
  std::string failure;
};

class caller final : public reply_port {
public:
  caller(shared_state& shared, call_port port)
    : shared_(shared), port_(port), target_(port_.service("counter").value()) {
    shared_.active.fetch_add(1);
  }

  void next(caf::execution_unit* host) {
    auto n = shared_.begun.fetch_add(1);
    auto& load = shared_.load;
    if (shared_.stop.load(std::memory_order_relaxed)
        || (load.calls > 0 && n >= load.calls)) {
      shared_.active.fetch_sub(1);
      return;
    }
    call_ = caf::make_counted<raw_invocation>(payload{load.arguments, {}});
    call_->port = this;
    call_->entity = std::make_unique<entity_call>(
      entity_call{"counter", load.key(n), load.method});
    port_.prepare(*call_, *target_, {});
    lender thread{port_.system(), host, port_.environment().lend};
    target_->submit(call_, thread);
  }

  void answered(invocation& call, caf::execution_unit* host) noexcept override {
    if (auto reason = call.failure()) {
      std::lock_guard guard{shared_.mutex};
      shared_.failure = reason->message();
      shared_.stop = true;
    }
    shared_.done.fetch_add(1, std::memory_order_relaxed);
    next(host);
  }

private:
  shared_state& shared_;
  call_port port_;
  call_target_ptr target_;
  caf::intrusive_ptr<raw_invocation> call_;
};

} // namespace

entity_load_result run_entity_load(local_node& node, const entity_load& load) {
  shared_state shared{load, {}, {}, {}, {}, {}, {}};
  std::deque<caller> callers;
  for (unsigned i = 0; i < load.callers; ++i)
    callers.emplace_back(shared, node.port());
  auto began = clock::now();
  for (auto& x : callers)
    x.next(nullptr);
  while (shared.active.load() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    if (load.time.count() > 0 && clock::now() >= began + load.time)
      shared.stop = true;
  }
  auto took = std::chrono::duration<double>(clock::now() - began).count();
  if (!shared.failure.empty())
    throw cannot_measure{"a call failed: " + shared.failure};
  return {shared.done.load(), took};
}

} // namespace troupe::bench
