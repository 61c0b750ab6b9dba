// Shows that ThreadSanitizer sees into handlers, so that a clean run means
// something: two actors count the messages that they get. With the argument
// `race` they share one plain counter, which must be reported; with `apart`
// each has its own and hands it over by message, which must not be.

#include <cstring>
#include <iostream>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

namespace {

using add = caf::atom_constant<caf::atom("add")>;
using total = caf::atom_constant<caf::atom("total")>;

constexpr int messages = 2000;

caf::behavior count(caf::event_based_actor*, long* counter) {
  return {
    [counter](add) { ++*counter; },
    [counter](total) { return *counter; },
  };
}

/// Sends to both in turn, then adds up what they answer.
long run(caf::actor_system& system, long* first, long* second) {
  std::vector<caf::actor> counters{system.spawn(count, first),
                                   system.spawn(count, second)};
  for (int i = 0; i < messages; ++i)
    for (auto& counter : counters)
      caf::anon_send(counter, add::value);
  caf::scoped_actor self{system};
  long sum = 0;
  for (auto& counter : counters)
    self->request(counter, caf::infinite, total::value)
      .receive([&](long n) { sum += n; }, [](caf::error&) {});
  for (auto& counter : counters)
    self->send_exit(counter, caf::exit_reason::user_shutdown);
  return sum;
}

} // namespace

int main(int argc, char** argv) {
  bool race = argc == 2 && std::strcmp(argv[1], "race") == 0;
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 4);
  config.set("scheduler.max-throughput", 1);
  caf::actor_system system{config};
  long first = 0;
  long second = 0;
  auto sum = run(system, &first, race ? &first : &second);
  system.await_all_actors_done();
  std::cout << "counted " << sum << '\n';
}
