// A lock that a C++ program holds: released when it goes out of scope.
//
//   if (auto door = rt.lock("door", {.ttl = 30s, .wait = 5s})) {
//     entity.call({.locks = {door->proof()}}, &counter::increment, 1);
//   }

#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "actors/core/lock_grant.hpp"

namespace troupe {

class lock_keeper;

/// Not thread-safe; must not outlive its runtime.
class held_lock {
public:
  /// Takes over a lock that was granted for `ttl`.
  held_lock(lock_keeper& keeper, lock_grant grant,
            std::chrono::milliseconds ttl);

  held_lock(held_lock&& other) noexcept;

  held_lock& operator=(held_lock&& other) noexcept;

  /// Releases it, without waiting for the answer.
  ~held_lock();

  // -- properties ------------------------------------------------------------

  const std::string& name() const noexcept { return grant_.proof.name; }

  /// Higher by one than that of the grant before: whoever guards something can
  /// tell an old holder from a new one.
  uint64_t token() const noexcept { return grant_.proof.token; }

  /// What a call shows.
  const lock_proof& proof() const noexcept { return grant_.proof; }

  /// Until then nobody else gets it.
  std::chrono::system_clock::time_point expires() const noexcept {
    return grant_.expires;
  }

  // -- what changes it -------------------------------------------------------

  /// Its time begins anew, as long as it was asked for or for `ttl`; `lock_held`
  /// if it was lost.
  expected<void> renew(std::optional<std::chrono::milliseconds> ttl = {});

  /// Others can have it; `lock_held` if it was lost before.
  expected<void> release();

private:
  void let_go() noexcept;

  lock_keeper* keeper_; // null once it was released, or moved from
  lock_grant grant_;
  std::chrono::milliseconds ttl_;
};

/// Asks for a lock and waits on the calling thread.
expected<held_lock> acquire_lock(lock_keeper& keeper, std::string name,
                                 const lock_options& options);

} // namespace troupe
