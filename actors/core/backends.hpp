// The outside world as the actors see it. Implementations live in nodes/ and are
// passed in by the composition root.

#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "actors/core/lock_proof.hpp"
#include "actors/core/work_queue.hpp"

namespace troupe {

class lock_table;

/// Names one entity.
struct entity_id {
  std::string service;
  std::string key;

  friend bool operator==(const entity_id&, const entity_id&) = default;
  friend std::strong_ordering operator<=>(const entity_id&,
                                          const entity_id&) = default;
};

/// A random number that fences writes: whoever claimed an entity last has the
/// token that its commits are compared with, so that nobody who claimed it
/// before can change it any more.
struct fencing_token {
  uint64_t high = 0;
  uint64_t low = 0;

  friend bool operator==(const fencing_token&, const fencing_token&) = default;
};

/// An entity's state as it was committed.
struct stored_state {
  /// Rises by one with each call that changed the state; the first is 1.
  uint64_t revision = 0;

  /// JSON; empty if there is none: it was never committed (revision 0), or it
  /// was deleted.
  std::string state;

  /// The version of the state's shape; see `service_builder::upgrade`.
  uint32_t schema = 1;

  /// What the entity keeps beside its state: which reminders it has set, as
  /// JSON; empty if it has none. Also of an entity without a state. Only `claim`
  /// gives it.
  std::string reminders{};

  bool exists() const noexcept { return !state.empty(); }

  friend bool operator==(const stored_state&, const stored_state&) = default;
};

/// On what grounds a node claims an entity: it owns the entity's shard.
struct shard_ownership {
  uint32_t shard = 0;

  /// The node's incarnation.
  std::string owner;

  /// Of the ownership; see `shard_row`.
  uint64_t epoch = 0;

  friend bool operator==(const shard_ownership&,
                         const shard_ownership&) = default;
};

/// What a claim found.
struct claimed_state {
  stored_state found;

  /// The token of whoever claimed it before; nothing if nobody did.
  std::optional<fencing_token> previous;
};

/// The answer of a call that is not to be executed twice, kept with the state
/// that it left.
struct recorded_outcome {
  /// What a repeat is recognized by: an idempotency key, or the id of queued
  /// work. Unique within its entity; 1 to 255 bytes.
  std::string id;

  /// A hash of method and arguments: a repeat with others is a mistake.
  std::string fingerprint;

  /// The revision that the call saw at its end.
  uint64_t revision = 0;

  /// The answer is an error: `body` is that error as JSON.
  bool failed = false;

  std::string content_type;
  std::string body;

  friend bool operator==(const recorded_outcome&,
                         const recorded_outcome&) = default;
};

/// What became of a commit.
enum class commit_outcome : uint8_t {
  /// Durable.
  done,
  /// The entity has another token or revision, or an outcome of that id is
  /// there already; nothing was written.
  refused,
  /// The entity has its token and revision, but one of the locks has moved on;
  /// nothing was written.
  lock_lost,
  /// Nothing was written; the store does not answer.
  failed,
  /// Written or not: nobody knows. A `claim` that comes later and succeeds
  /// settles it: what was not written by then never will be.
  unknown,
};

/// What one or several calls in a row did to one entity. All of it is written,
/// or nothing.
struct commit_request {
  entity_id entity;

  /// From the claim.
  fencing_token token;

  /// The revision that the change is based on; 0 for a new entity.
  uint64_t base = 0;

  /// The new revision and state; a state that is empty deletes the entity, but
  /// its revision stays. With `base` as the revision the state is not touched.
  stored_state next;

  std::vector<recorded_outcome> outcomes;

  /// Work that is accepted with it; see `work_queue::accept`. One whose key
  /// belongs to other work is passed over. Only if the store `commits_work`.
  std::vector<work_request> work;

  /// It is done only if each of these is the last grant of its lock in that
  /// transaction, and was not released. Whether its time is over is not asked:
  /// as long as nobody else was granted it, nothing has come in between.
  std::vector<lock_proof> locks{};

  /// Work that is not wanted any more: what of it still waits is removed, after
  /// `work` was accepted. Only if the store `commits_work`.
  std::vector<invocation_id> withdrawn{};
};

/// Which entities to list.
struct list_request {
  std::string service;

  /// Keys that begin so.
  std::string prefix;

  /// Keys that come after this one, in the order of their bytes; empty: from
  /// the first.
  std::string after;

  /// So many at most.
  size_t limit = 100;

  /// With their states; else those are empty.
  bool with_states = false;
};

struct listed_entity {
  std::string key;
  stored_state state;

  friend bool operator==(const listed_entity&, const listed_entity&) = default;
};

/// Durable state of entities. Thread-safe, never blocks: callbacks come from a
/// thread of the store (or before the function returns), exactly once each, and
/// do not block it. Commits of one entity are applied in the order in which they
/// were given. Every function but `commit` fails with `store_unavailable`, or as
/// it says.
class state_store {
public:
  virtual ~state_store() = default;

  template <class T>
  using callback = std::function<void(expected<T>)>;

  using commit_callback = std::function<void(commit_outcome)>;

  // -- for whoever owns an entity --------------------------------------------

  /// Makes `token` the one that commits of `entity` are compared with. Once it
  /// is answered, no commit with another token is done any more. A claim that
  /// failed may have had its effect all the same.
  ///
  /// With `owned` it is done only if the table of shards says the same in that
  /// transaction (`shard_table`): else it fails with `not_owner`, and had no
  /// effect. Without, nobody asks; that is for a node that has the store alone.
  virtual void claim(entity_id entity, fencing_token token,
                     std::optional<shard_ownership> owned,
                     callback<claimed_state> done) = 0;

  /// @copydoc claim
  void claim(entity_id entity, fencing_token token,
             callback<claimed_state> done) {
    claim(std::move(entity), token, std::nullopt, std::move(done));
  }

  /// Commits `request` if the entity still has its token and is at its base.
  virtual void commit(commit_request request, commit_callback done) = 0;

  /// The owner goes: what is kept of an entity that was never committed is
  /// forgotten, if nobody else has claimed it. A hint.
  virtual void release(entity_id entity, fencing_token token) = 0;

  /// What was recorded of `entity` under `id`, for at least
  /// `outcome_retention`.
  virtual void find_outcome(entity_id entity, std::string id,
                            callback<std::optional<recorded_outcome>> done) = 0;

  /// How long a recorded outcome is kept at least.
  static constexpr std::chrono::hours outcome_retention{24};

  // -- for everybody ---------------------------------------------------------

  /// The last committed state of `entity`; revision 0 if it has none. Sees
  /// every commit that was acknowledged before.
  virtual void load(entity_id entity, callback<stored_state> done) = 0;

  /// Entities that have a state, by key.
  virtual void list(list_request request,
                    callback<std::vector<listed_entity>> done) = 0;

  /// The locks that commits can be bound to; as long as this lives. Null if the
  /// store has none: then no commit may name any.
  virtual lock_table* locks() noexcept { return nullptr; }

  /// The work that waits; as long as this lives. Null if the store has none.
  virtual work_queue* work() noexcept { return nullptr; }

  /// Commits may bring work and withdraw it, and set reminders.
  virtual bool commits_work() noexcept { return work() != nullptr; }

  /// What an operator would recognize: "sqlite:/var/lib/troupe".
  virtual std::string describe() const = 0;
};

/// Which entities this node owns.
class entity_ownership {
public:
  virtual ~entity_ownership() = default;

  /// The shard of an entity, whoever owns it.
  virtual uint32_t shard_of(const entity_id& entity) const noexcept = 0;

  /// The epoch under which this node owns `shard`; 0 if it does not, or is about
  /// to give it away: no call begins any more. Nobody else owns it before this
  /// has said 0. Thread-safe: one atomic load.
  virtual uint64_t epoch(uint32_t shard) const noexcept = 0;

  /// The same, but it is 0 only once the shard is given away: until then what
  /// had begun may be answered. Thread-safe: one atomic load.
  virtual uint64_t held(uint32_t shard) const noexcept { return epoch(shard); }

  /// What this node can claim the entities of `shard` with; nothing if `epoch`
  /// is 0. Thread-safe, for claims only.
  virtual std::optional<shard_ownership> find(uint32_t shard) const = 0;

  /// A claim was refused: somebody else owns `shard`. A hint; from any thread.
  virtual void doubt(uint32_t shard) noexcept = 0;
};

/// Whether this node may serve what it owns.
class node_lease {
public:
  virtual ~node_lease() = default;

  /// Thread-safe, never blocks. `now` is of the actors' clock; an implementation
  /// that must see a machine that slept has its own.
  virtual bool
  valid(std::chrono::steady_clock::time_point now) const noexcept = 0;
};

} // namespace troupe
