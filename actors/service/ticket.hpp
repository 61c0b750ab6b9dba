// One call while a service has it. Wherever it gets lost (in the mailbox of an
// actor that ended, in a coroutine that dies with its entity) its ticket dies
// with it, and answers: no call stays without an answer because an actor is
// gone.

#pragma once

#include <atomic>
#include <cstdint>

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/invocation.hpp"

namespace troupe {

class service_target;
struct method_definition;

/// What the host sees of an activation without asking it.
class activation_record : public caf::ref_counted {
public:
  /// Calls that the host sent and nobody answered yet. Only the host adds.
  std::atomic<uint32_t> pending{0};

  /// The method it is in; null if none.
  std::atomic<const method_definition*> method{nullptr};

  /// Since when, in ns of the clock.
  std::atomic<int64_t> running_since{0};

  /// It ended.
  std::atomic<bool> gone{false};
};

using activation_record_ptr = caf::intrusive_ptr<activation_record>;

class ticket final : public caf::ref_counted {
public:
  /// Counts as under way at `target` until it ends.
  ticket(service_target& target, invocation_ptr call);

  /// Answers if nobody did: `instance_lost` if it was started, else
  /// `shutting_down`.
  ~ticket() override;

  invocation& call() noexcept { return *call_; }

  /// Waits for the activation of `record` from now on.
  void assign(activation_record_ptr record);

  /// The call begins. False if nobody waits for it any more.
  bool start() noexcept;

  /// Frees its place, then answers with what was set: a caller that calls again
  /// finds room.
  void finish(caf::execution_unit* host) noexcept;

  void finish(error reason, caf::execution_unit* host);

  /// Gives the call to somebody else, who answers it.
  invocation_ptr hand_on() noexcept;

private:
  void leave() noexcept;

  caf::intrusive_ptr<service_target> target_;
  activation_record_ptr record_;
  invocation_ptr call_;
  bool started_ = false;
};

using ticket_ptr = caf::intrusive_ptr<ticket>;

} // namespace troupe
