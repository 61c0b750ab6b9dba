// Messages between callers, keepers and pools. They never leave the process.

#pragma once

#include <string>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/message.hpp>

#include "actors/core/invocation.hpp"
#include "actors/function/admitted_call.hpp"

namespace troupe {

/// target -> pool: a call that found no free slot.
struct waiting_call {
  admitted_call_ptr call;
};

/// target -> keeper: a call for an exposed actor, as the actor understands it.
struct exposed_call {
  admitted_call_ptr call;
  caf::message content;

  /// The media type of raw arguments.
  std::string content_type;

  /// The actor is on probation, and this call decides.
  bool probe = false;
};

/// exposed actor -> keeper: what the actor answered.
struct exposed_answer {
  /// The request, by its response id.
  uint64_t request = 0;

  /// It comes from the actor, and not from its closed mailbox.
  bool is_from_actor = false;

  caf::message content;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::waiting_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::exposed_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::exposed_answer)
