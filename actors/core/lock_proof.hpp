// What a call shows to say that its caller holds a lock: the lock's name and the
// token of the grant. It travels as `name=token`.

#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/expected.hpp"

namespace troupe {

struct lock_proof {
  std::string name;

  /// From the grant; 1 for the first one.
  uint64_t token = 0;

  friend bool operator==(const lock_proof&, const lock_proof&) = default;
  friend auto operator<=>(const lock_proof&, const lock_proof&) = default;
};

/// Tokens go no further, so that every store can keep them.
inline constexpr uint64_t lock_token_max = INT64_MAX;

/// Locks that one call shows at most.
inline constexpr size_t lock_proofs_max = 16;

/// "a=1, b=2".
std::string to_string(const std::vector<lock_proof>& proofs);

/// The number in `text`; 0 if it is none from 1 to `lock_token_max`.
uint64_t parse_lock_token(std::string_view text) noexcept;

/// `proofs` by name, so that those of two calls can be compared; `bad_request`
/// if there are too many, a name is none or is there twice, or a token is none.
expected<std::vector<lock_proof>>
checked_lock_proofs(std::vector<lock_proof> proofs);

/// Reads "name=token", several with commas; `bad_request` as above.
expected<std::vector<lock_proof>> parse_lock_proofs(std::string_view text);

} // namespace troupe
