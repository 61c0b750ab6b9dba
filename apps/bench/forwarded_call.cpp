// A call that goes to a peer and comes back: from an actor, through routes, the
// link, the peer's pool and its instance. The baseline is an actor's request to a
// remote actor over CAF's own protocol, between the same two processes.

#include <algorithm>
#include <thread>
#include <vector>

#include <caf/io/middleman.hpp>

#include "apps/bench/adder_caller.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/child_process.hpp"
#include "apps/bench/forward_node.hpp"
#include "apps/bench/machine.hpp"
#include "nodes/function_handle.hpp"

namespace troupe::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// The other process.
class peer {
public:
  peer() : process_({build_folder() / "bin" / "forward_peer"}, -1) {
    std::string port;
    if (!process_.read_line(address) || !process_.read_line(port))
      throw cannot_measure{"forward_peer does not start"};
    bare_port = static_cast<uint16_t>(std::stoi(port));
  }

  std::string address;
  uint16_t bare_port = 0;

private:
  child_process process_;
};

/// Calls `echo` of the peer again and again.
class echo_loop final : public reply_port {
public:
  echo_loop(forward_node& node, size_t bytes, const std::atomic<bool>& stop)
    : node_(node), port_(node.port()), body_(bytes, 'x'), stop_(stop) {}

  void begin() { call(std::move(body_)); }

  void answered(invocation& x, caf::execution_unit*) noexcept override {
    auto took = clock::now() - began_;
    latencies_us.push_back(
      std::chrono::duration<double, std::micro>(took).count());
    failed = failed || x.failure();
    if (failed || stop_.load(std::memory_order_relaxed)) {
      done_.set_value();
      return;
    }
    call(std::move(static_cast<raw_invocation&>(x).result().bytes));
  }

  void wait() { done_.get_future().wait(); }

  std::vector<double> latencies_us;
  bool failed = false;

private:
  void call(std::string body) {
    auto x = caf::make_counted<raw_invocation>(payload{std::move(body), {}});
    x->port = this;
    auto target = *port_.function("echo");
    port_.prepare(*x, *target, {});
    began_ = clock::now();
    lender thread{node_.system(), nullptr, true};
    target->submit(std::move(x), thread);
  }

  forward_node& node_;
  call_port port_;
  std::string body_;
  const std::atomic<bool>& stop_;
  clock::time_point began_;
  std::promise<void> done_;
};

void check(const echo_loop& x) {
  if (x.failed || x.latencies_us.empty())
    throw std::runtime_error{"a call was not answered"};
}

double p99(std::vector<double>& x) {
  auto at = x.begin() + static_cast<ptrdiff_t>(x.size() * 99 / 100);
  std::nth_element(x.begin(), at, x.end());
  return *at;
}

/// p99 of small calls, one at a time, beside so many streams of 6 MB.
double small_calls(forward_node& node, size_t streams,
                   std::chrono::milliseconds time) {
  std::atomic<bool> stop_streams{false};
  std::vector<std::unique_ptr<echo_loop>> large;
  for (size_t i = 0; i < streams; ++i) {
    large.push_back(std::make_unique<echo_loop>(node, 6'000'000, stop_streams));
    large.back()->begin();
  }
  std::atomic<bool> stop{false};
  echo_loop small{node, 128, stop};
  small.begin();
  std::this_thread::sleep_for(time);
  stop = true;
  small.wait();
  stop_streams = true;
  for (auto& x : large)
    x->wait();
  check(small);
  for (auto& x : large)
    check(*x);
  return p99(small.latencies_us);
}

void at_window(const settings& how, forward_node& node,
               const caf::actor& remote, unsigned window,
               requirement required) {
  auto bare_request = [remote](caf::event_based_actor* self, int64_t a,
                               int64_t b) {
    return self->request(remote, caf::infinite, a, b);
  };
  function_handle<int64_t(int64_t, int64_t)> add{node.port(), "add"};
  auto our_request = [add](caf::event_based_actor* self, int64_t a,
                           int64_t b) mutable {
    return add.request(self, a, b);
  };
  auto measure = [&](auto request, std::chrono::milliseconds time) {
    return rate(node.system(), request, window, time);
  };
  measure(bare_request, how.time(200ms));
  measure(our_request, how.time(200ms));
  auto time = how.time(1500ms);
  auto rounds = alternate(
    how, [&] { return measure(bare_request, time); },
    [&] { return measure(our_request, time); });
  how.report(
    from_rounds("call forwarded to a peer, window " + std::to_string(window),
                "calls/s", "CAF remote request", required, std::move(rounds)));
}

} // namespace

void forwarded_call(const settings& how) {
  peer other;
  forward_node node{"bench"};
  node.connect("peer", other.address);
  auto remote =
    node.system().middleman().remote_actor("127.0.0.1", other.bare_port);
  if (!remote)
    throw cannot_measure{"CAF does not reach the peer"};
  at_window(how, node, *remote, 1, at_least(0.7));
  at_window(how, node, *remote, 64, at_least(0.7));
  auto time = how.time(2000ms);
  small_calls(node, 0, how.time(200ms));
  auto rounds = alternate(
    how, [&] { return small_calls(node, 0, time); },
    [&] { return small_calls(node, 2, time); });
  how.report(from_rounds("p99 of small calls beside two 6 MB streams", "us",
                         "without them", at_most(5), std::move(rounds)));
}

} // namespace troupe::bench
