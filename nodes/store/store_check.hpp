// What is in a store's folder, and whether it is whole. It only reads, and may
// run beside a node.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "actors/core/expected.hpp"
#include "nodes/store/node_presence.hpp"

namespace troupe {

struct store_report {
  /// The versions of the tables; 0 if there is no cluster.db.
  int data_schema = 0;
  int cluster_schema = 0;

  /// Whether this Troupe would migrate data.db at its start. Only damage is
  /// looked for then, and nothing is counted.
  bool is_older = false;

  /// What is wrong, the first `problems_max`; empty if all is well.
  std::vector<std::string> problems;

  /// Entities with a state, by service.
  std::map<std::string, uint64_t> entities;

  /// Entities that were deleted: their revisions are kept.
  uint64_t deleted = 0;

  /// Entities that were claimed, but never committed.
  uint64_t uncommitted = 0;

  uint64_t outcomes = 0;

  /// Messages that wait in the outbox.
  uint64_t messages = 0;

  /// The nodes in cluster.db.
  std::vector<node_record> nodes;

  /// A node has the folder now. If none has it, but there is one in `nodes`,
  /// that one did not stop cleanly.
  bool is_in_use = false;

  static constexpr size_t problems_max = 20;
};

/// Fails with `store_unavailable` if there is no store, or if it cannot be
/// read.
expected<store_report> check_store(const std::filesystem::path& folder);

} // namespace troupe
