// A CAF actor that always has `window` calls under way. Ours and the baseline
// share the caller; only how one request is made differs.

#include <atomic>
#include <future>

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include "apps/bench/bare_adder.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/local_node.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

struct outcome {
  int64_t calls = 0;
  int64_t sum = 0;
  int64_t failed = 0;
};

/// Calls until it is told to stop, then waits for what is under way.
template <class Request>
class caller final : public caf::event_based_actor {
public:
  caller(caf::actor_config& cfg, Request request, unsigned window,
         const std::atomic<bool>& stop, std::promise<outcome>& done)
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
  std::promise<outcome>& done_;
  outcome result_;
  int64_t made_ = 0;
  unsigned under_way_ = 0;
};

/// Every answer must be right: n calls of add(i, 2) for i from 0.
void check(const outcome& x) {
  if (x.failed != 0 || x.sum != x.calls * (x.calls - 1) / 2 + 2 * x.calls)
    throw std::runtime_error{"an answer is wrong"};
}

/// Calls a second.
template <class Request>
double rate(caf::actor_system& sys, Request request, unsigned window,
            std::chrono::milliseconds time) {
  std::atomic<bool> stop{false};
  std::promise<outcome> done;
  auto start = clock::now();
  sys.spawn<caller<Request>>(std::move(request), window, std::cref(stop),
                             std::ref(done));
  std::this_thread::sleep_for(time);
  stop = true;
  auto result = done.get_future().get();
  auto took = std::chrono::duration<double>(clock::now() - start);
  check(result);
  return static_cast<double>(result.calls) / took.count();
}

void at_window(const settings& how, local_node& node, unsigned window,
               requirement required) {
  auto adder = node.system().spawn(bare_adder);
  auto bare_request = [adder](caf::event_based_actor* self, int64_t a,
                              int64_t b) {
    return self->request(adder, caf::infinite, a, b);
  };
  auto our_request = [add = node.add()](caf::event_based_actor* self, int64_t a,
                                        int64_t b) mutable {
    return add.request(self, a, b);
  };
  auto measure = [&](auto request, std::chrono::milliseconds time) {
    return rate(node.system(), request, window, time);
  };
  measure(bare_request, how.time(std::chrono::milliseconds{200}));
  measure(our_request, how.time(std::chrono::milliseconds{200}));
  auto time = how.time(std::chrono::milliseconds{1500});
  auto rounds = alternate(
    how, [&] { return measure(bare_request, time); },
    [&] { return measure(our_request, time); });
  caf::anon_send_exit(adder, caf::exit_reason::user_shutdown);
  how.report(from_rounds("call from an actor, window " + std::to_string(window),
                         "calls/s", "CAF request", required,
                         std::move(rounds)));
}

} // namespace

void call_from_an_actor(const settings& how) {
  local_node node;
  at_window(how, node, 1, at_least(0.85));
  at_window(how, node, 64, at_least(0.75));
}

} // namespace troupe::bench
