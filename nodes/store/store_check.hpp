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

  /// Entities that were claimed, but never committed: a call that stored nothing
  /// leaves such a row.
  uint64_t uncommitted = 0;

  uint64_t outcomes = 0;

  /// Work that waits or is under way, and work that died.
  uint64_t queued = 0;
  uint64_t dead = 0;

  /// The node in cluster.db that has, or had, the folder alone.
  std::vector<node_record> nodes;

  /// Those of a cluster that did not leave, or not yet.
  uint64_t members = 0;

  /// A node has the folder now. If none has it, those in `nodes` and `members`
  /// did not stop cleanly.
  bool is_in_use = false;

  /// No node has had the folder: it was copied.
  bool is_unused() const noexcept { return cluster_schema == 0; }

  static constexpr size_t problems_max = 20;
};

/// Fails with `not_found` if there is no store, with `store_unavailable` if it
/// cannot be read.
expected<store_report> check_store(const std::filesystem::path& folder);

} // namespace troupe
