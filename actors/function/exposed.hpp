// A plain CAF actor under a name, as its callers see it: something to submit
// calls to, from any thread, with a bound on how many wait. What keeps the actor
// alive and talks to it is its keeper; see exposed_keeper.hpp.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <caf/actor.hpp>

#include "actors/core/interfaces.hpp"
#include "actors/core/lender.hpp"
#include "actors/core/module.hpp"
#include "actors/function/slot.hpp"

namespace troupe {

class exposed_target final : public call_target {
public:
  exposed_target(caf::actor_system& sys,
                 std::shared_ptr<const exposed_definition> definition,
                 function_limits limits, const call_environment& env);

  // -- call_target -----------------------------------------------------------

  /// Arguments that do not fit are refused here, on the caller's thread. Without
  /// a signature every call is a `bad_request`: use `actor`.
  void submit(invocation_ptr call, lender& from) override;

  std::chrono::milliseconds timeout() const noexcept override {
    return limits_.timeout;
  }

  call_stats stats() const override;

  std::string_view kind() const noexcept override { return "exposed"; }

  bool callable_by_bytes() const noexcept override {
    return definition_->signature != nullptr;
  }

  // -- properties ------------------------------------------------------------

  const exposed_definition& definition() const noexcept { return *definition_; }

  const function_limits& limits() const noexcept { return limits_; }

  /// The actor that runs now; null while there is none. It is another one after
  /// each restart: ask again rather than keep it.
  caf::actor actor() const;

  // -- for the keeper --------------------------------------------------------

  /// What happens to a call that comes.
  enum class door : uint8_t {
    /// It goes to the keeper.
    open,
    /// It fails fast: the actor rests.
    quarantined,
    /// The first one goes to the keeper, and is what the actor is judged by.
    probe,
    /// It fails: the node leaves.
    draining,
  };

  std::atomic<door> entry{door::open};

  /// While quarantined: when to retry, in ns of the clock.
  std::atomic<int64_t> quarantined_until{0};

  /// Where calls go; null: they are answered `shutting_down`.
  void keeper(caf::actor handle);

  /// `handle` ended: no calls go there any more.
  void keeper_left(const caf::actor& handle);

  void actor(caf::actor handle);

  error quarantine_error() const;

  /// Nobody waits and nothing runs.
  bool idle() const noexcept { return under_way_.load() == 0; }

  std::atomic<uint32_t> in_flight{0};
  std::atomic<uint32_t> restarts{0};
  counter_cell calls;
  counter_cell failures;
  counter_cell late;
  counter_cell busy_ns;
  std::array<counter_cell, call_stats::buckets> durations;

private:
  /// Why a call is refused, if it is; `probe` is set if it is the probe.
  std::optional<error> refuse(bool& probe);

  caf::actor_system& sys_;
  std::shared_ptr<const exposed_definition> definition_;
  const function_limits limits_;
  const call_environment env_;
  alignas(64) std::atomic<uint32_t> under_way_{0};
  std::atomic<uint64_t> rejected_{0};
  mutable std::mutex mutex_; // guards the handles
  caf::actor keeper_;
  caf::actor actor_;
};

using exposed_target_ptr = caf::intrusive_ptr<exposed_target>;

} // namespace troupe
