// The tables of a cluster that lives in one process: for tests, simulators and
// the test kit. They keep the whole contract but for durability; all nodes
// share one object.

#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"

namespace troupe {

/// Calls back before its functions return.
class memory_lease_table final : public lease_table {
public:
  void renew(lease_row mine, callback<lease_view> done) override;

  void declare_dead(std::string incarnation, uint64_t counter_seen,
                    callback<verdict> done) override;

  /// From then on there is a proof that it is dead, too.
  void leave(std::string incarnation, callback<void> done) override;

  void forget(std::string incarnation) override;

  bool proven_dead(const std::string& incarnation) noexcept override;

  /// From now on there is a proof that `incarnation` is dead.
  void process_ended(const std::string& incarnation);

private:
  lease_view apply(lease_row mine);

  std::mutex mutex_;
  std::map<std::string, lease_row> rows_;
  std::set<std::string> ended_;
};

/// Calls back before its functions return.
class memory_shard_table final : public shard_table {
public:
  void read(uint32_t count, uint64_t version,
            callback<shard_view> done) override;

  void move(std::vector<shard_move> moves,
            callback<std::vector<move_result>> done) override;

  /// Runs `f` while the table says the same as `x`; false if it does not.
  bool if_owned(const shard_ownership& x, const std::function<void()>& f);

private:
  struct entry {
    shard_row row;
    uint64_t version = 0;
  };

  move_result apply(const shard_move& x);

  std::mutex mutex_;
  uint32_t count_ = 0;
  uint64_t version_ = 0;
  std::map<uint32_t, entry> rows_;
};

} // namespace troupe
