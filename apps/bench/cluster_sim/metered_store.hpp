// The tables that all nodes of a simulation share, with a meter: what was asked
// of them, how many rows and bytes went there and back. Each node reaches them
// on a way of its own, which takes time.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/cluster_backends.hpp"
#include "nodes/simulation/virtual_time.hpp"
#include "nodes/store/memory_cluster.hpp"

namespace troupe::bench {

/// What was asked of the store, by one node or by all.
struct store_use {
  uint64_t renewals = 0;
  uint64_t reads = 0; // of the table of shards
  uint64_t moves = 0; // requests: one may be about many shards
  uint64_t declarations = 0;
  uint64_t others = 0;

  /// Of both tables, that were answered.
  uint64_t rows = 0;

  /// What columns hold, and 4 for the length of each, there and back.
  uint64_t bytes = 0;

  uint64_t operations() const noexcept {
    return renewals + reads + moves + declarations + others;
  }

  store_use& operator-=(const store_use& x) noexcept;

  friend store_use operator-(store_use x, const store_use& y) noexcept {
    return x -= y;
  }

  friend bool operator==(const store_use&, const store_use&) = default;
};

uint64_t bytes_of(const lease_row& x) noexcept;
uint64_t bytes_of(const shard_row& x) noexcept;

/// How long something is on its way: as many one way as the other.
struct way_length {
  std::chrono::nanoseconds least = std::chrono::microseconds{100};
  std::chrono::nanoseconds most = std::chrono::milliseconds{4};

  std::chrono::nanoseconds draw(std::mt19937_64& random) const {
    auto range = static_cast<uint64_t>((most - least).count() + 1);
    return least + std::chrono::nanoseconds{random() % range};
  }
};

struct metered_store {
  memory_lease_table leases;
  memory_shard_table shards;
  store_use use;

  /// Moves of single shards that were done, and that came too late.
  uint64_t moved = 0;
  uint64_t refused = 0;

  /// Called with each row that has moved. May be empty.
  std::function<void(const shard_row&)> on_move;
};

/// One node's way to the store.
class way_to_store final : public lease_table, public shard_table {
public:
  /// Lets something reach the node, or loses it if the node is dead.
  using delivery = std::function<void(std::function<void()>)>;

  /// @param proof_of_death whether this node can tell that a process has ended
  way_to_store(metered_store& store, testing::virtual_time& time,
               std::mt19937_64& random, delivery deliver, bool proof_of_death)
    : store_(store), time_(time), random_(random), deliver_(std::move(deliver)),
      proof_of_death_(proof_of_death) {}

  // -- lease_table -----------------------------------------------------------

  void renew(lease_row mine, lease_table::callback<lease_view> done) override;

  void declare_dead(std::string incarnation, uint64_t counter_seen,
                    lease_table::callback<verdict> done) override;

  void leave(std::string incarnation,
             lease_table::callback<void> done) override;

  void forget(std::string incarnation) override;

  bool proven_dead(const std::string& incarnation) noexcept override {
    return proof_of_death_ && store_.leases.proven_dead(incarnation);
  }

  // -- shard_table -----------------------------------------------------------

  void read(uint32_t count, uint64_t version,
            shard_table::callback<shard_view> done) override;

  void move(std::vector<shard_move> moves,
            shard_table::callback<std::vector<move_result>> done) override;

private:
  /// Does `what` there, and then `done` with its answer here.
  template <class T>
  void ask(std::function<T()> what, std::function<void(expected<T>)> done);

  template <class T>
  void answer(std::chrono::nanoseconds way, T x,
              std::function<void(expected<T>)> done);

  void count(const std::vector<shard_move>& moves,
             const std::vector<move_result>& results);

  metered_store& store_;
  testing::virtual_time& time_;
  std::mt19937_64& random_;
  const delivery deliver_;
  const way_length length_{};
  const bool proof_of_death_;
};

} // namespace troupe::bench
