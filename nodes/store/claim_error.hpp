// What a claim fails with when the table of shards says otherwise: the same
// from every store.

#pragma once

#include <string>

#include "actors/core/backends.hpp"
#include "actors/core/errors.hpp"

namespace troupe {

inline error not_the_owner(const shard_ownership& claimed) {
  return {errc::not_owner, "this node does not own shard "
                             + std::to_string(claimed.shard) + " at epoch "
                             + std::to_string(claimed.epoch)};
}

} // namespace troupe
