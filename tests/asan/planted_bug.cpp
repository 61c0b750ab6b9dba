// Shows that the sanitizers see into handlers, and that the suppressions for
// CAF's headers hide nothing of ours: a handler makes the bug that the argument
// names, and the run must report it and fail. `none` must be silent.

#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

namespace {

int use_after_free(int x) {
  auto* gone = new int(x);
  auto* volatile alias = gone;
  delete gone;
  return *alias;
}

int leak(int x) {
  auto* volatile lost = new int(x);
  int result = *lost;
  lost = nullptr;
  return result;
}

int overflow(int x) {
  volatile int big = 0x7fffffff;
  return big + x;
}

int null_reference(int x) {
  std::shared_ptr<int> nothing;
  int& bound = *nothing;
  auto* volatile address = &bound;
  return address ? 0 : x;
}

int make(const std::string& bug, int x) {
  if (bug == "use_after_free")
    return use_after_free(x);
  if (bug == "leak")
    return leak(x);
  if (bug == "overflow")
    return overflow(x);
  if (bug == "null_reference")
    return null_reference(x);
  return x;
}

caf::behavior buggy(caf::event_based_actor*) {
  return {[](const std::string& bug, int x) { return make(bug, x); }};
}

} // namespace

int main(int argc, char** argv) {
  std::string bug = argc == 2 ? argv[1] : "none";
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto actor = system.spawn(buggy);
  self->request(actor, std::chrono::minutes(1), bug, 1)
    .receive([](int x) { std::cout << "answered " << x << '\n'; },
             [](caf::error&) { std::cout << "no answer\n"; });
  self->send_exit(actor, caf::exit_reason::user_shutdown);
}
