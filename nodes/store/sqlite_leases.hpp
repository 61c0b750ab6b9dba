// The leases of the nodes that share a folder: cluster.db, a file of its own
// with a thread of its own, so that no lease runs out behind commits.
//
// It is written without an fsync: what a power loss takes back are leases of
// processes that it has ended too, and their locks (process_lock.hpp) prove
// that.

#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "actors/core/cluster_backends.hpp"
#include "nodes/store/batch_queue.hpp"
#include "nodes/store/process_lock.hpp"

namespace troupe {

/// Callbacks come from its thread.
class sqlite_lease_table final : public lease_table {
public:
  /// @param folder exists
  /// @throws error_exception `store_unavailable`
  explicit sqlite_lease_table(const std::filesystem::path& folder);

  sqlite_lease_table(const sqlite_lease_table&) = delete;
  sqlite_lease_table& operator=(const sqlite_lease_table&) = delete;

  /// Answers what waits. The locks of its incarnations end.
  ~sqlite_lease_table() override;

  void renew(lease_row mine, callback<lease_view> done) override;

  void declare_dead(std::string incarnation, uint64_t counter_seen,
                    callback<verdict> done) override;

  void leave(std::string incarnation, callback<void> done) override;

  void forget(std::string incarnation) override;

  bool proven_dead(const std::string& incarnation) noexcept override;

private:
  class rows;

  /// Runs with the table, or gets null if too much waits.
  using job = std::function<void(rows*)>;

  template <class T, class Query>
  void ask(callback<T> done, Query query);

  void work();

  void lock(const std::string& incarnation);

  void unlock(const std::string& incarnation);

  std::filesystem::path folder_;
  std::mutex mutex_;                          // guards locks_
  std::map<std::string, process_lock> locks_; // by incarnation
  std::unique_ptr<rows> rows_;
  batch_queue<job> queue_;
  std::thread thread_;
};

} // namespace troupe
