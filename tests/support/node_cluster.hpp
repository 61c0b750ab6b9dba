// Several real nodes that share a store, for tests from outside.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/network.hpp"
#include "tests/support/node_process.hpp"
#include "tests/support/shared_store.hpp"

namespace troupe::test {

/// What is given outlives the cluster.
struct cluster_settings {
  /// Further options of every node.
  words options;

  /// Null: a folder.
  const shared_store* store = nullptr;

  /// Each node is another of its hosts, in the order of their first starts.
  /// Null: all are where the test is.
  const test_network* network = nullptr;

  /// Where each node has a file for what it logs in all its runs; empty: what a
  /// run logs goes with it.
  std::filesystem::path logs;
};

/// Nodes that share a store, by their ids. Each has the examples.
class node_cluster {
public:
  /// @param options further options of every node
  explicit node_cluster(words options = {});

  explicit node_cluster(cluster_settings settings);

  /// Nodes that are started from now on are of that build of `troupe`; empty: of
  /// this one.
  void use(std::string binary) { binary_ = std::move(binary); }

  /// A node, or another run of one that has ended. Returns when it is up.
  node_process& start(const std::string& id, words more = {});

  /// Several, one after the other; returns when all is where it should be.
  void start_all(const words& ids);

  node_process& operator[](const std::string& id) { return *nodes_.at(id); }

  /// Whether it was started and has not ended.
  bool runs(const std::string& id);

  /// Which host of the network it is. @pre it was started once
  size_t host(const std::string& id) const { return hosts_.at(id); }

  /// What it says of itself is not asked for any more.
  void forget(const std::string& id) { nodes_.erase(id); }

  const std::filesystem::path& folder() const { return folder_.path(); }

  // -- what they say ---------------------------------------------------------

  /// The nodes that `asked` sees, as "/cluster" has them, by id.
  std::map<std::string, nlohmann::json> seen_by(const std::string& asked);

  /// Waits until every node that runs sees exactly these nodes up, every shard
  /// owned, and nothing moving.
  void settle();

  /// The id of the owner of `counter/key`, as `asked` sees it; empty if nobody.
  std::string owner(const std::string& asked, const std::string& key);

  /// A key of `counter` that `id` owns, as it sees it.
  std::string key_of(const std::string& id, const std::string& prefix = "k");

  /// Several of them.
  words keys_of(const std::string& id, size_t count,
                const std::string& prefix = "k");

  /// One metric of a node, without labels.
  double metric(const std::string& id, const std::string& name);

private:
  bool is_settled(std::string& shards);

  testing::temporary_folder folder_;
  const cluster_settings settings_;
  std::string binary_;
  std::map<std::string, size_t> hosts_;
  std::map<std::string, std::unique_ptr<node_process>> nodes_;
};

} // namespace troupe::test
