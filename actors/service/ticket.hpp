// One call while a service has it. Wherever it gets lost (in the mailbox of an
// actor that ended, in a coroutine that dies with its entity) its ticket dies
// with it, and answers: no call stays without an answer because an actor is
// gone.

#pragma once

#include <caf/fwd.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include "actors/core/invocation.hpp"
#include "actors/service/activation_slot.hpp"

namespace troupe {

class service_target;

class ticket final : public caf::ref_counted {
public:
  /// Counts as under way at `target` until it ends.
  ticket(service_target& target, invocation_ptr call);

  /// Answers if nobody did: `instance_lost` if it was started, else
  /// `shutting_down`.
  ~ticket() override;

  invocation& call() noexcept { return *call_; }

  /// Waits for the activation of `slot` from now on, where it was counted as
  /// pending.
  void assign(activation_ref slot) noexcept { slot_ = std::move(slot); }

  /// The call begins. False if nobody waits for it any more.
  bool start() noexcept;

  /// Frees its place, then answers with what was set: a caller that calls again
  /// finds room.
  void finish(caf::execution_unit* host) noexcept;

  void finish(error reason, caf::execution_unit* host);

  /// Frees its place; see `invocation::turn_away`.
  void turn_away(error reason, caf::execution_unit* host) noexcept;

  /// Gives the call to somebody else, who answers it.
  invocation_ptr hand_on() noexcept;

private:
  void leave() noexcept;

  caf::intrusive_ptr<service_target> target_;
  activation_ref slot_;
  invocation_ptr call_;
  bool started_ = false;
};

using ticket_ptr = caf::intrusive_ptr<ticket>;

} // namespace troupe
