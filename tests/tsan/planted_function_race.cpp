// Shows that ThreadSanitizer sees into the handlers of functions, wherever they
// run: on a worker of the pool, or on the thread of the caller, lent to CAF.
// Instances of two functions meet in their handlers, then each adds to a plain
// counter. With the argument `race` they share it, which must be reported; with
// `apart` each has its own, which must not be. They meet by relaxed atomics, for
// these order nothing: the race is there in every run.

#include <atomic>
#include <iostream>
#include <string>
#include <thread>

#include "nodes/runtime.hpp"

namespace {

/// True on the threads that call.
thread_local bool calls = false;

struct side {
  const char* name;
  long* counter;
  /// On the thread of its caller, or on a worker?
  bool lent;
};

class meeting {
public:
  void wait_for_both() {
    there_.fetch_add(1, std::memory_order_relaxed);
    while (there_.load(std::memory_order_relaxed) < 2)
      std::this_thread::yield();
  }

private:
  std::atomic<int> there_{0};
};

/// A function that counts, in company, if it runs where it should; answers
/// whether it did.
void add_function(troupe::module& to, const side& x, meeting& place) {
  to.function(x.name,
              [x, &place] {
                if (calls != x.lent)
                  return false;
                place.wait_for_both();
                ++*x.counter;
                return true;
              })
    .concurrency(1);
}

/// Calls until it counted: an instance begins on workers, and earns the lent
/// thread by short runs.
void run(troupe::runtime& rt, const side& x) {
  calls = true;
  auto call = rt.function<bool()>(x.name);
  while (!call().value())
    continue;
}

void run_both(const side& left, const side& right) {
  meeting place;
  troupe::module m;
  add_function(m, left, place);
  add_function(m, right, place);
  troupe::runtime rt{m};
  std::thread other{[&] { run(rt, right); }};
  run(rt, left);
  other.join();
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  auto race = argv[1] == std::string{"race"};
  auto where = argv[2] == std::string{"both"} ? 0 : *argv[2];
  long first = 0;
  long second = 0;
  run_both({"left", &first, where != 'w'},
           {"right", race ? &first : &second, where == 'l'});
  std::cout << "counted " << first + second << " on " << argv[2] << '\n';
}
