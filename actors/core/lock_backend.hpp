// Who holds which lock: a table in the store, in the same database as the states
// of entities, so that a commit can be bound to a lock in one transaction
// (`commit_request::locks`). Who waits for a lock is not known here; that is
// cluster/lock_keeper.hpp.
//
// A lock is a name, a token that rises by one with every grant, and a time after
// which it may be granted to somebody else. The token of a name is never used
// twice, whatever happens to the lock: a row is never removed. The rules are
// those of model/lock_record.hpp, and the clock is the store's.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "actors/core/expected.hpp"
#include "actors/core/lock_proof.hpp"

namespace troupe {

/// One lock as the store has it.
struct lock_row {
  /// Of the last grant; 0: there was none.
  uint64_t token = 0;

  /// How long nobody else can have it, from the transaction that saw it; 0: it
  /// was released, or its time is over.
  std::chrono::milliseconds left{0};

  bool held() const noexcept { return left.count() > 0; }

  friend bool operator==(const lock_row&, const lock_row&) = default;
};

struct lock_request {
  std::string name;

  /// A random name of this request. The same one again is the same request: it
  /// gets the grant that it may have got already.
  std::string holder;

  /// From 1 ms.
  std::chrono::milliseconds ttl{0};
};

/// What became of a request.
struct lock_answer {
  /// It is as was asked for.
  bool done = false;

  /// As it is now.
  lock_row now;

  friend bool operator==(const lock_answer&, const lock_answer&) = default;
};

/// Thread-safe, never blocks: callbacks come from a thread of the store (or
/// before the function returns), exactly once each, and do not block it.
/// Failures are `store_unavailable`; with the effect `unknown` it may have had
/// its effect all the same.
class lock_table {
public:
  virtual ~lock_table() = default;

  template <class T>
  using callback = std::function<void(expected<T>)>;

  /// Grants the lock, with a new token, unless somebody else has it.
  virtual void acquire(lock_request request, callback<lock_answer> done) = 0;

  /// The lock has `ttl` from now on, in place of what is left of its time, which
  /// may be more; without one, the time that it was last granted or renewed for.
  /// Not done if its time is over, it was released, or somebody else was granted
  /// it.
  virtual void renew(lock_proof held,
                     std::optional<std::chrono::milliseconds> ttl,
                     callback<lock_answer> done) = 0;

  /// Anybody can have the lock from now on. Not done if `held` is not its last
  /// grant; done if it was released before.
  virtual void release(lock_proof held, callback<lock_answer> done) = 0;

  /// Sees every change that was answered before.
  virtual void find(std::string name, callback<lock_row> done) = 0;
};

} // namespace troupe
