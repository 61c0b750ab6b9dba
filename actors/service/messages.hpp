// Messages between a service's callers, its host, its activations and the
// store's threads. They never leave the process.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/core/backends.hpp"
#include "actors/service/ticket.hpp"

namespace troupe {

/// target -> host -> activation: a call for an entity.
struct entity_message {
  ticket_ptr call;
};

/// target -> host: the node does not own these shards any more; `done` when
/// their activations are gone.
struct shards_message {
  std::shared_ptr<const std::vector<bool>> shards;
  std::function<void()> done;
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
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::shards_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::claim_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::commit_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::outcome_answer)
