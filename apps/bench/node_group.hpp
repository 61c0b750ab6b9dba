// Nodes of this machine that share a store: a cluster.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/bench/http_servers.hpp"

namespace troupe::bench {

class node_group {
public:
  /// Starts them.
  /// @throws cannot_measure
  node_group(size_t count, const std::string& store);

  /// Waits until each sees all of them up, and no shard moves any more.
  /// @throws cannot_measure if that takes too long
  void settle() const;

  size_t size() const noexcept { return nodes_.size(); }

  const http_server& operator[](size_t i) const { return *nodes_[i]; }

  std::vector<pid_t> processes() const;

private:
  /// How many shards each node owns, as all of them see it; empty while they
  /// do not agree, or do not see all.
  std::vector<uint32_t> shards() const;

  std::vector<std::unique_ptr<node_server>> nodes_;
};

} // namespace troupe::bench
