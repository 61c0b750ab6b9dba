// The node that has a folder says so in cluster.db, and takes it back at a clean
// end. So whoever looks at the folder of a node that is gone can tell a crash
// from a shutdown.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

/// A row of cluster.db.
struct node_record {
  /// A random name of one run of a node.
  std::string incarnation;
  int64_t pid = 0;

  /// Milliseconds since 1970, UTC.
  int64_t started_at_ms = 0;

  /// Troupe's.
  std::string version;

  friend bool operator==(const node_record&, const node_record&) = default;
};

class node_presence {
public:
  /// Writes this process's row; what a crash left behind goes.
  /// @pre this process has the folder alone
  /// @throws error_exception `store_unavailable`
  explicit node_presence(const std::filesystem::path& folder);

  node_presence(const node_presence&) = delete;
  node_presence& operator=(const node_presence&) = delete;

  /// Removes it.
  ~node_presence();

  /// The rows of a folder; none if there is no cluster.db. Changes nothing.
  /// @throws error_exception `store_unavailable`
  static std::vector<node_record> read(const std::filesystem::path& folder);

private:
  std::filesystem::path file_;
};

} // namespace troupe
