// Where the folders of actors/ meet: who may be called, what the actors of a
// node tell each other, and what they share.
//
// Messages between actors:
//   supervisor, pool, host, instance:
//     (describe) -> tree_node              what `troupe tree` shows
//   router:
//     (claim, module_claim) -> vector<uint64>      numbers for new versions
//     (publish, route_change) -> published_change  callers see it
//     (alias, string, string, uint64) -> unit      function, alias, version
//   pool, exposed, host:
//     (drain)                              no new calls; exit when idle
//   host:
//     (release, key) -> unit               your activation of it is gone
//   instance, activation:
//     (run)                INTERNAL        take the call out of your slot
//     (resume, uint64)     INTERNAL        go on with a waiting coroutine

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/invocation.hpp"

namespace troupe {

class lender;
class route_source;
class deadline_keeper;
class service_definition;
class state_store;

/// What one target did since it came into being.
struct call_stats {
  /// Bucket i counts runs shorter than 2^i microseconds; the last one all that
  /// are longer.
  static constexpr size_t buckets = 26;

  uint64_t calls = 0;
  uint64_t failures = 0;
  uint64_t rejected = 0;
  uint64_t late = 0;
  uint64_t busy_ns = 0;
  uint64_t restarts = 0;
  uint32_t instances = 0;
  uint32_t in_flight = 0;
  uint32_t queued = 0;
  bool quarantined = false;
  std::array<uint64_t, buckets> durations{};
};

/// What a name leads to: a pool of instances, an exposed actor, a service host.
/// Thread-safe; lives as long as anybody may call it.
class call_target : public caf::ref_counted {
public:
  /// Takes `call` on. It is answered in every case, maybe before this returns;
  /// this never blocks.
  virtual void submit(invocation_ptr call, lender& from) = 0;

  /// The longest deadline that a call gets, and the one it gets unasked.
  virtual std::chrono::milliseconds timeout() const noexcept = 0;

  virtual call_stats stats() const = 0;

  /// What it is: "function", "exposed" or "service".
  virtual std::string_view kind() const noexcept = 0;

  /// It takes calls from outside C++.
  virtual bool callable_by_bytes() const noexcept { return true; }

  /// What runs calls on this node: itself, unless it may send them elsewhere.
  virtual call_target& here() noexcept { return *this; }

  /// A call that came now would begin at once.
  virtual bool has_room() const noexcept { return true; }

  /// A call that this one placed did not begin there. Never blocks.
  virtual void turned_away(invocation_ptr call, error why) noexcept {
    call->finish(std::move(why), nullptr);
  }
};

using call_target_ptr = caf::intrusive_ptr<call_target>;

/// What every actor that serves calls shares. Outlives them.
struct call_environment {
  const route_source& routes;
  deadline_keeper& deadlines;

  /// False in virtual time: everything is scheduled.
  bool lend = true;
};

} // namespace troupe
