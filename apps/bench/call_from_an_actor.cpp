// A call from a CAF actor to a function, against a CAF request.

#include <caf/send.hpp>

#include "apps/bench/adder_caller.hpp"
#include "apps/bench/bare_adder.hpp"
#include "apps/bench/benchmark.hpp"
#include "apps/bench/local_node.hpp"

namespace troupe::bench {

namespace {

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
