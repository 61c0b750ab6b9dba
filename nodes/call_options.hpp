// What a call of an entity may bring beside its arguments, from C++.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/expected.hpp"
#include "actors/core/idempotency_key.hpp"
#include "actors/core/invocation.hpp"

namespace troupe {

/// All empty: an ordinary call.
struct call_options {
  /// A repeat of the call with the same key is not executed: it gets the answer
  /// of the first. 1 to 255 bytes of visible ASCII.
  std::string idempotency_key = {};

  /// The call is executed only at one of these revisions, written as HTTP does
  /// (`revision_tag(3)`, several with commas, or `*` for any state that there
  /// is); else it answers `revision_mismatch`.
  std::string if_match = {};

  /// The call has its effect only if all of these are held when it is committed;
  /// else it fails with `lock_held`, and nothing was changed. A call that
  /// changes nothing is checked as well.
  std::vector<lock_proof> locks = {};
};

/// `"3"`, with the quotes: a revision in `if_match`.
inline std::string revision_tag(uint64_t revision) {
  return '"' + std::to_string(revision) + '"';
}

/// `to` with `options`; `bad_request` if the key is none, or a lock.
inline expected<std::unique_ptr<entity_call>>
make_entity_call(entity_call to, const call_options& options) {
  auto& key = options.idempotency_key;
  if (!key.empty() && !is_valid_idempotency_key(key))
    return error{errc::bad_request,
                 "an idempotency key is 1 to 255 bytes of visible ASCII"};
  to.idempotency_key = key;
  auto locks = checked_lock_proofs(options.locks);
  if (!locks)
    return locks.error();
  to.if_match = options.if_match;
  to.locks = std::move(*locks);
  return std::make_unique<entity_call>(std::move(to));
}

} // namespace troupe
