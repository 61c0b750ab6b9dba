// What the store answers the membership, as messages to it: they never leave
// the process.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/core/cluster_backends.hpp"
#include "actors/model/boot_time.hpp"

namespace troupe {

/// Why shards are moved.
enum class move_purpose : uint8_t {
  /// Nobody has them.
  take,
  /// They should be elsewhere.
  give,
  /// Nobody knows what came of an earlier move.
  settle,
};

struct lease_renewed {
  /// Whose renewal.
  std::string incarnation;

  /// Its number, in the order in which they were sent.
  uint64_t number;
  boot_time sent;
  expected<lease_view> view;
};

struct node_declared {
  std::string incarnation;
  expected<verdict> result;
};

struct node_left {
  std::string incarnation;
  expected<void> done;
};

struct shards_read {
  expected<shard_view> view;
};

struct shards_moved {
  std::string incarnation;
  move_purpose why;
  std::vector<shard_move> moves;
  expected<std::vector<move_result>> results;
};

/// The activations of what is handed over are gone.
struct shards_vacated {
  uint64_t handover;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::lease_renewed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::node_declared)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::node_left)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::shards_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::shards_moved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::shards_vacated)
