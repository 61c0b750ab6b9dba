// Locks as their holders see them: asked for, waited for, renewed, released and
// shown. Who holds which lock is in the store (core/lock_backend.hpp); who waits
// for one is known here, on the node where it asked, and only until it gets it
// or goes.
//
// Waiting costs the store little: of those who wait for one lock on a node only
// the first asks (model/lock_line.hpp). Nothing here blocks, and nothing waits
// without an end: everybody says for how long, and there is a bound on how many.

#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/lock_counts.hpp"
#include "actors/core/lock_backend.hpp"
#include "actors/core/lock_grant.hpp"
#include "actors/model/backoff.hpp"

namespace troupe {

struct lock_keeper_options {
  /// Those who wait for one lock; past it: too_many_requests. Raise it where
  /// more clients fight over one.
  size_t waiting = defaults::lock::waiting;

  /// Those who wait for any, or are being answered; as above.
  size_t waiting_on_node = defaults::lock::waiting_on_node;

  /// Between two questions for a lock that somebody else has.
  backoff_options pauses{defaults::lock::poll, defaults::lock::poll_max};

  /// For the pauses; 0: another one for each node.
  uint64_t seed = 0;
};

/// Thread-safe. Callbacks come on any thread, maybe before the function returns,
/// exactly once, and must not block.
class lock_keeper {
public:
  template <class T>
  using callback = lock_table::callback<T>;

  /// @param table outlives every callback; null if the store has none: then
  ///        everything is answered `not_implemented`
  explicit lock_keeper(lock_table* table, lock_keeper_options options = {});

  lock_keeper(const lock_keeper&) = delete;

  /// Starts the actor that keeps those who wait; it outlives no answer. Until
  /// then, and once it has ended, nobody gets a lock: `shutting_down`.
  caf::actor start(caf::local_actor* parent);

  // -- what holders do -------------------------------------------------------

  /// Asks for a lock. `lock_held` if it was not to be had in time,
  /// `too_many_requests` past the bounds, `bad_request`. Returns a number for
  /// `give_up`.
  uint64_t acquire(std::string name, const lock_options& options,
                   callback<lock_grant> done);

  /// Whoever asked goes. It is not answered any more, unless its answer is on
  /// its way: then it has to release what it was granted.
  void give_up(uint64_t id);

  /// Without `ttl` for as long as it was last granted or renewed. `lock_held` if
  /// it was lost, `not_found` if nobody was ever granted it.
  void renew(lock_proof held, std::optional<std::chrono::milliseconds> ttl,
             callback<lock_grant> done);

  /// As `renew`. A release may be repeated.
  void release(lock_proof held, callback<void> done);

  /// `not_found` if nobody was ever granted it.
  void show(std::string name, callback<lock_info> done);

  // -- for the node ----------------------------------------------------------

  /// Answers all who wait with `shutting_down`; from now on nobody waits.
  void stop_waiting();

  /// Those who wait, or are being answered.
  size_t waiting() const noexcept { return under_way_.load(); }

  lock_stats stats();

private:
  class keeper_actor;

  caf::actor handle() const;

  /// A lock was released by this node.
  void released(const std::string& name);

  lock_table* table_;
  const lock_keeper_options options_;
  std::atomic<uint64_t> last_id_{0};
  std::atomic<size_t> under_way_{0};
  lock_counts counts_;
  mutable std::mutex mutex_; // guards actor_
  caf::actor actor_;
};

} // namespace troupe
