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

/// store -> activation: what it has of the entity.
struct load_answer {
  expected<claimed_state> found;
};

/// store -> activation: what became of the commit.
struct commit_answer {
  commit_outcome outcome;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::entity_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::load_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::commit_answer)
