// A plain thread that calls and waits, one call after the other.

#include <caf/scoped_actor.hpp>

#include "apps/bench/bare_adder.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/local_node.hpp"

namespace troupe::bench {

namespace {

using clock = std::chrono::steady_clock;

/// Calls a second of `add(i, 2)`, which gives the sum.
template <class Add>
double rate(std::chrono::milliseconds time, Add add) {
  auto start = clock::now();
  int64_t calls = 0;
  auto now = start;
  for (; now - start < time; now = clock::now())
    for (auto end = calls + 16; calls < end; ++calls)
      if (add(calls, 2) != calls + 2)
        throw std::runtime_error{"an answer is wrong"};
  return static_cast<double>(calls)
         / std::chrono::duration<double>(now - start).count();
}

} // namespace

void blocking_call(const settings& how) {
  local_node node;
  auto add = node.add();
  auto adder = node.system().spawn(bare_adder);
  caf::scoped_actor self{node.system()};
  auto ours = [&](int64_t a, int64_t b) { return add(a, b).value_or(-1); };
  auto bare = [&](int64_t a, int64_t b) {
    int64_t result = -1;
    self->request(adder, caf::infinite, a, b)
      .receive([&](int64_t sum) { result = sum; }, [](caf::error&) {});
    return result;
  };
  auto time = how.time(std::chrono::milliseconds{1500});
  rate(time / 8, bare);
  rate(time / 8, ours);
  auto rounds = alternate(
    how, [&] { return rate(time, bare); }, [&] { return rate(time, ours); });
  caf::anon_send_exit(adder, caf::exit_reason::user_shutdown);
  how.report(from_rounds("blocking call from a thread", "calls/s",
                         "CAF scoped_actor", at_least(5), std::move(rounds)));
}

} // namespace troupe::bench
