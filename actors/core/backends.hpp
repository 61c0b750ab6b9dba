// The outside world as the actors see it. Implementations live in nodes/ and are
// passed in by the composition root.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "actors/core/expected.hpp"

namespace troupe {

/// Names one entity.
struct entity_id {
  std::string service;
  std::string key;

  friend bool operator==(const entity_id&, const entity_id&) = default;
  friend auto operator<=>(const entity_id&, const entity_id&) = default;
};

/// An entity's state as it was committed.
struct stored_state {
  /// Rises by one with each call that changed the state; the first is 1.
  uint64_t revision = 0;

  /// JSON.
  std::string state;

  friend bool operator==(const stored_state&, const stored_state&) = default;
};

/// What became of a commit.
enum class commit_outcome : uint8_t {
  /// Durable.
  done,
  /// Somebody else has changed the entity; nothing was written.
  refused,
  /// Nothing was written; the store does not answer.
  failed,
  /// Written or not: nobody knows. A `load` that comes later and succeeds
  /// settles it.
  unknown,
};

/// One change of one entity.
struct commit_request {
  entity_id entity;

  /// The revision that the change is based on; 0 for a new entity.
  uint64_t base = 0;

  /// The new revision and state.
  stored_state next;
};

/// Durable state of entities. Thread-safe, never blocks: callbacks come from a
/// thread of the store (or before the function returns), exactly once each, and
/// do not block it.
class state_store {
public:
  virtual ~state_store() = default;

  using load_callback =
    std::function<void(expected<std::optional<stored_state>>)>;

  using commit_callback = std::function<void(commit_outcome)>;

  /// The last committed state of `entity`; nothing if it has none.
  /// Fails with `store_unavailable`.
  virtual void load(entity_id entity, load_callback done) = 0;

  /// Commits `request` if the entity is still at revision `request.base`.
  virtual void commit(commit_request request, commit_callback done) = 0;

  /// What an operator would recognize: "sqlite:/var/lib/troupe".
  virtual std::string describe() const = 0;
};

} // namespace troupe
