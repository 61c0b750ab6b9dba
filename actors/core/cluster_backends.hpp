// What nodes agree on, as the actors see it: who is alive, and who owns what.
// Both are tables in the store, so that there is one truth and no vote: every
// change is a compare-and-set of one transaction. Implementations live in
// nodes/store/; actors/cluster/README.md says why the protocol that uses them
// is safe.
//
// Two rules hold in every implementation:
// - An answer means that it is durable. A request that failed may have had its
//   effect all the same, or may have it later; its caller must make sure that
//   this does no harm. (For shards: see `shard_table::move`.)
// - An incarnation that is down never comes back.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/core/expected.hpp"

namespace troupe {

// -- who is there -------------------------------------------------------------

/// How far a node is. It only ever goes on in this order.
enum class node_state : uint8_t {
  /// It renews its lease, and owns nothing yet.
  joining = 1,
  /// It may own shards.
  up,
  /// It gives its shards away and gets none.
  draining,
  /// It left or was declared dead. Final.
  down,
};

/// "joining", "up", "draining" or "down".
std::string_view to_string(node_state x) noexcept;

/// Nothing if there is no such state.
std::optional<node_state> node_state_from_string(std::string_view x) noexcept;

/// One run of one node, and how to reach it.
struct lease_row {
  /// The node's id: the same for every run of it.
  std::string node;

  /// A random name of this run. The key of the table.
  std::string incarnation;

  /// "address:port" for peers; empty if it takes no links.
  std::string link_endpoint;

  /// The URL for clients.
  std::string http_url;

  /// How many shards it takes, against other nodes.
  uint32_t capacity = 1;

  /// Nodes of one zone fail together; may be empty.
  std::string zone;

  /// Troupe's version, for people.
  std::string version;

  /// What it speaks with peers.
  uint32_t wire_version = 1;

  /// What is to be the same on every node of a cluster (heartbeat settings, the
  /// length of leases), as a text that is compared.
  std::string settings;

  node_state state = node_state::joining;

  /// Rises by one with each renewal; the store counts.
  uint64_t counter = 0;

  friend bool operator==(const lease_row&, const lease_row&) = default;
};

/// What a renewal found.
struct lease_view {
  /// The incarnation is down: it must stop at once, and never renews again.
  /// Then nothing was written.
  bool fenced = false;

  /// Its own counter after the renewal.
  uint64_t counter = 0;

  /// All incarnations, one's own included, as they are after the renewal.
  std::vector<lease_row> rows;

  friend bool operator==(const lease_view&, const lease_view&) = default;
};

/// What came of declaring a node dead.
enum class verdict : uint8_t {
  lives,    ///< its counter is another: it has renewed
  dies,     ///< by this it is `down`
  was_down, ///< it was before: it has left, or another declared it dead
};

/// Who is alive. Thread-safe, never blocks: callbacks come from a thread of the
/// store (or before the function returns), exactly once each, and do not block
/// it. Failures are `store_unavailable`.
class lease_table {
public:
  virtual ~lease_table() = default;

  template <class T>
  using callback = std::function<void(expected<T>)>;

  /// Writes `mine` with a counter that is higher by one than the one that is
  /// there, in one transaction with the reading of all rows. The counter of
  /// `mine` is 0 for the first renewal of an incarnation: only that one makes a
  /// row. Of two first renewals exactly one sees the other's row, so that of two
  /// runs of one node one knows that it is the younger. Fenced if the row is `down`, or if it is missing and this is not the
  /// first. The state is never set back: a row that is `draining` stays so.
  virtual void renew(lease_row mine, callback<lease_view> done) = 0;

  /// Makes `incarnation` `down` if its counter is still `counter_seen`. Unless
  /// it lives, no renewal of it that was not done yet ever will be. One without
  /// a row was down.
  virtual void declare_dead(std::string incarnation, uint64_t counter_seen,
                            callback<verdict> done) = 0;

  /// Makes one's own incarnation `down`, whatever its counter; answered when it
  /// is.
  virtual void leave(std::string incarnation, callback<void> done) = 0;

  /// Removes the row of an incarnation that is `down`, and which nothing refers
  /// to any more. A hint.
  virtual void forget(std::string incarnation) = 0;

  /// Whether the process of this incarnation is known to have ended, so that
  /// nobody need wait for its lease to run out: on one host a lock on a file,
  /// which the kernel drops with the process. False if it is not known. Fast;
  /// thread-safe.
  virtual bool proven_dead(const std::string& incarnation) noexcept = 0;
};

// -- who owns what ------------------------------------------------------------

/// Who may claim the entities of one shard.
struct shard_row {
  uint32_t shard = 0;

  /// An incarnation; empty: nobody has owned it yet.
  std::string owner;

  /// Rises by one with each move; 0: nobody has owned it yet.
  uint64_t epoch = 0;

  friend bool operator==(const shard_row&, const shard_row&) = default;
};

/// A change of one row, if it still is what it is expected to be.
struct shard_move {
  uint32_t shard = 0;
  std::string expected_owner;
  uint64_t expected_epoch = 0;
  std::string new_owner;

  friend bool operator==(const shard_move&, const shard_move&) = default;
};

struct move_result {
  bool moved = false;

  /// The row as it is now.
  shard_row now;

  friend bool operator==(const move_result&, const move_result&) = default;
};

/// A part of the table.
struct shard_view {
  /// How many shards there are: 0 to `count` - 1.
  uint32_t count = 0;

  /// To be given to the next `read`.
  uint64_t version = 0;

  /// The rows that have moved since. Those that never have are not there.
  std::vector<shard_row> rows;

  friend bool operator==(const shard_view&, const shard_view&) = default;
};

/// Who owns what. Threads and callbacks as with `lease_table`.
///
/// Who moves a shard makes sure before that its old owner cannot serve it: it
/// is the caller itself, or `lease_table` says that it is down.
class shard_table {
public:
  virtual ~shard_table() = default;

  template <class T>
  using callback = std::function<void(expected<T>)>;

  /// The rows that have moved after the view with `version`; 0: all. The first
  /// caller of all decides how many shards there are: `count` is what it wants,
  /// `shard_view::count` is what there is.
  virtual void read(uint32_t count, uint64_t version,
                    callback<shard_view> done) = 0;

  /// Tries each of the moves, in one transaction; a result for each, in their
  /// order. A move that was not answered with success may happen later, until
  /// another one of that shard is done: to settle it, move the shard.
  virtual void move(std::vector<shard_move> moves,
                    callback<std::vector<move_result>> done) = 0;
};

} // namespace troupe
