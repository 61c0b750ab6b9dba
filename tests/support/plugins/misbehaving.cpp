// Handlers that do what handlers should not, and one that counts its runs.

#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>

#include "actors/core/plugin.hpp"

namespace shop {

/// An exception type of the user's own.
struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace shop

namespace {

/// A service that changes its state, then throws.
struct ledger {
  int total = 0;

  int book(int by) { return total += by; }

  int book_and_throw(int by) {
    total += by;
    throw shop::out_of_stock("nothing left");
  }

  int get() const { return total; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(ledger, total)
};

/// Dies of 0, answers all else.
caf::behavior fragile(caf::event_based_actor*, int) {
  return {[](int x) {
    if (x == 0)
      throw std::runtime_error("fragile");
    return x;
  }};
}

/// Calls of `hold` that began.
std::atomic<int> held{0};

troupe::task<int> hold(troupe::context& ctx, uint32_t ms) {
  ++held;
  co_await ctx.sleep(std::chrono::milliseconds{ms});
  co_return static_cast<int>(ms);
}

troupe::module misbehaving() {
  troupe::module m;
  m.function("throw_own",
             []() -> int { throw shop::out_of_stock("nothing left"); });
  m.function("throw_int", []() -> int { throw 42; });
  m.function("throw_bad_alloc", []() -> int { throw std::bad_alloc{}; });
  m.function("nothing", [] {});
  m.function("hold", hold);
  m.function("held", [] { return held.load(); });
  m.expose(
    "fragile",
    [](caf::actor_system& sys) { return caf::actor{sys.spawn(fragile, 0)}; },
    troupe::signature<int(int)>{});
  m.expose("of_cpp_only", [](caf::actor_system& sys) {
    return caf::actor{sys.spawn(fragile, 0)};
  });
  m.service<ledger>("ledger")
    .method("book", &ledger::book)
    .method("book_and_throw", &ledger::book_and_throw)
    .method("get", &ledger::get);
  return m;
}

} // namespace

TROUPE_PLUGIN(misbehaving)
