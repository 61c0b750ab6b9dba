// A CAF actor that always has `window` requests under way. What is measured and
// its baseline share it; only how one request is made differs.

#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

#include <caf/event_based_actor.hpp>

namespace troupe::bench {

/// What came of its calls.
struct adder_outcome {
  int64_t calls = 0;
  int64_t sum = 0;
  int64_t failed = 0;
};

/// Calls until it is told to stop, then waits for what is under way.
template <class Request>
class adder_caller final : public caf::event_based_actor {
public:
  adder_caller(caf::actor_config& cfg, Request request, unsigned window,
               const std::atomic<bool>& stop, std::promise<adder_outcome>& done)
    : caf::event_based_actor(cfg), request_(std::move(request)),
      window_(window), stop_(stop), done_(done) {}

  caf::behavior make_behavior() override {
    for (unsigned i = 0; i < window_; ++i)
      next();
    return {[](const caf::unit_t&) {}};
  }

private:
  void next() {
    ++under_way_;
    request_(static_cast<caf::event_based_actor*>(this), made_++, 2)
      .then(
        [this](int64_t sum) {
          result_.sum += sum;
          answered();
        },
        [this](caf::error&) {
          ++result_.failed;
          answered();
        });
  }

  void answered() {
    ++result_.calls;
    --under_way_;
    if (!stop_.load(std::memory_order_relaxed))
      next();
    else if (under_way_ == 0)
      end();
  }

  void end() {
    done_.set_value(result_);
    quit();
  }

  Request request_;
  unsigned window_;
  const std::atomic<bool>& stop_;
  std::promise<adder_outcome>& done_;
  adder_outcome result_;
  int64_t made_ = 0;
  unsigned under_way_ = 0;
};

/// Every answer must be right: n calls of add(i, 2) for i from 0.
inline void check(const adder_outcome& x) {
  if (x.failed != 0 || x.sum != x.calls * (x.calls - 1) / 2 + 2 * x.calls)
    throw std::runtime_error{"an answer is wrong"};
}

/// Calls a second.
template <class Request>
double rate(caf::actor_system& sys, Request request, unsigned window,
            std::chrono::milliseconds time) {
  std::atomic<bool> stop{false};
  std::promise<adder_outcome> done;
  auto start = std::chrono::steady_clock::now();
  sys.spawn<adder_caller<Request>>(std::move(request), window, std::cref(stop),
                                   std::ref(done));
  std::this_thread::sleep_for(time);
  stop = true;
  auto result = done.get_future().get();
  auto took =
    std::chrono::duration<double>(std::chrono::steady_clock::now() - start);
  check(result);
  return static_cast<double>(result.calls) / took.count();
}

} // namespace troupe::bench
