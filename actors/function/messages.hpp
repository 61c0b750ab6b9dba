// Messages between a pool's callers and its actor. They never leave the process.

#pragma once

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/core/invocation.hpp"

namespace troupe {

/// A call that found no free slot.
struct waiting_call {
  invocation_ptr call;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::waiting_call)
