// Messages between a service's callers, its host, its activations and the
// store's threads. They never leave the process.

#pragma once

#include <optional>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/core/backends.hpp"
#include "actors/service/ticket.hpp"

namespace troupe {

/// target -> host -> activation: a call for an entity.
struct entity_message {
  ticket_ptr call;
};

/// store -> activation: what the claim found.
struct claim_answer {
  expected<claimed_state> found;
};

/// store -> activation: what became of the commit.
struct commit_answer {
  commit_outcome outcome;
};

/// store -> activation: what was recorded for the idempotency key of the call
/// that it is about to run.
struct outcome_answer {
  uint64_t lookup;
  expected<std::optional<recorded_outcome>> found;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::entity_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::claim_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::commit_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::outcome_answer)
