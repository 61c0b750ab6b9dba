// A cluster in one thread and in virtual time: each node has an actor system, a
// clock and a way to the store of its own, and runs the membership and the
// services that real nodes run, over tables in memory. What happens is decided
// by a seed, so a run that found something finds it again.
//
// Clocks run at different speeds. A node can be killed, paused (SIGSTOP), or
// its machine put to sleep; the store can be slow or away; what is asked of it
// can be lost before or after it was done, and be done long after the asker was
// told that it failed. Clients call counters through any node, which may know
// an old owner; calls and answers are lost or late.
//
// While it runs, it watches that no shard is served by two nodes, that no claim
// is done on grounds that do not hold, and that no commit is done under an
// older claim. What clients saw is a history for the linearizability checker.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "actors/cluster/membership.hpp"
#include "actors/core/wire_version.hpp"
#include "nodes/simulation/virtual_time.hpp"
#include "nodes/store/memory_store.hpp"
#include "tests/support/history.hpp"
#include "tests/support/linearizability_specifications.hpp"

namespace troupe::testing {

/// Bugs that a test plants to see them found.
struct planted_bugs {
  /// A node goes on with the shards that it has given away.
  bool stale_epoch_accepted = false;

  /// A node serves after its lease ran out.
  bool expired_lease_served = false;

  /// The store takes commits with whatever token.
  bool token_unchecked = false;

  /// The store takes claims on whatever grounds.
  bool claim_unchecked = false;

  /// Others are judged also by what was not seen while the store was away.
  bool judged_without_looking = false;

  /// A move that nobody answered is taken for one that never happens.
  bool unknown_move_ignored = false;
};

/// Of 1000 chances each.
struct store_faults {
  /// It never arrives; the asker hears of a failure after a while.
  unsigned lost = 0;

  /// It is done, but the asker hears of a failure.
  unsigned untold = 0;

  /// It is done some time after the asker heard of a failure.
  unsigned late = 0;

  /// It takes up to two seconds.
  unsigned slow = 0;
};

struct simulation_options {
  uint64_t seed = 1;
  uint32_t shards = 16;
  planted_bugs bugs{};

  /// How much faster or slower than the true time a clock may run.
  double drift_max = 0.05;

  /// On one host: the end of a process is known at once.
  bool proof_of_death = false;
};

class simulation {
public:
  using duration = virtual_time::duration;

  explicit simulation(simulation_options options);
  ~simulation();

  // -- nodes -----------------------------------------------------------------

  /// A new node, or a new run of one that is dead.
  void start(const std::string& id, uint32_t capacity = 1,
             uint32_t wire_version = wire::version);

  /// One that believes itself to be the node `id`; here it is `name`.
  void start_namesake(const std::string& name, const std::string& id);

  /// Why a node is not to join; empty if it may.
  std::string refusal(const std::string& id);

  /// Why others were not to join, as this node tells.
  const std::vector<std::string>& turned_away(const std::string& id);

  void kill(const std::string& id);

  void pause(const std::string& id);

  /// The machine sleeps: its monotonic clock stands still meanwhile.
  void sleep(const std::string& id);

  /// Ends a pause or a sleep.
  void wake(const std::string& id);

  /// It gives its shards away and leaves; it is killed when it has.
  void drain(const std::string& id);

  bool is_alive(const std::string& id) const;

  /// Ids of those that are alive, paused ones too.
  std::vector<std::string> alive() const;

  cluster_state& state(const std::string& id);

  // -- the store -------------------------------------------------------------

  store_faults faults;

  /// For all, or for one.
  void store_away(bool is_away) { store_is_away_ = is_away; }
  void store_away(const std::string& id, bool is_away);

  /// Moves that were done so far.
  uint64_t moves() const noexcept { return moves_; }

  /// Requests of leases and shards so far, of all nodes.
  uint64_t store_requests() const noexcept { return requests_; }

  // -- clients ---------------------------------------------------------------

  /// A call of the counter `key` by `client`; 0: what it is. Through the node
  /// `via`; empty: through any.
  void call(uint32_t client, const std::string& key, int64_t by,
            const std::string& via = {});

  /// Of 1000 calls and answers that many are lost.
  unsigned calls_lost = 0;

  history<counter_specification> calls;

  // -- time ------------------------------------------------------------------

  /// Since the beginning.
  duration now() const noexcept { return time_.now(); }

  void advance(duration d);

  /// Calls `f` after `d`.
  void after(duration d, std::function<void()> f) {
    time_.after(d, std::move(f));
  }

  std::mt19937_64& random() noexcept { return random_; }

  bool chance(unsigned of_1000) { return random_() % 1000 < of_1000; }

  duration between(duration least, duration most);

  // -- what is to hold -------------------------------------------------------

  /// What was seen that must not be.
  const std::vector<std::string>& violations() const noexcept {
    return violations_;
  }

  /// Why the cluster is not at rest: empty if all that are alive are up, agree,
  /// and own what they should.
  std::string unrest();

  /// Who owns how many shards, by id.
  std::map<std::string, uint32_t> shards();

private:
  class node;
  class leases;
  class shard_rows;
  class states;
  struct client_call;

  node& find(const std::string& id);

  bool is_away(const node& x) const;

  void violation(const std::string& what);

  void watch();

  /// Asks the store for something on behalf of a node.
  template <class T>
  void ask(node& from, std::function<void(std::function<void(T)>)> what,
           std::function<void(T)> done, T failure);

  void watch_claim(const std::optional<shard_ownership>& owned,
                   const entity_id& entity, fencing_token token);

  void watch_commit(const entity_id& entity, fencing_token token);

  void answer(const std::shared_ptr<client_call>& x);

  simulation_options options_;
  std::mt19937_64 random_;
  virtual_time time_;
  uint64_t calls_made_ = 0;
  std::shared_ptr<memory_shard_table> shard_table_;
  memory_lease_table lease_table_;
  memory_store store_;
  bool store_is_away_ = false;
  uint64_t moves_ = 0;
  uint64_t requests_ = 0;
  uint64_t incarnations_ = 0;
  std::map<std::string, std::unique_ptr<node>> nodes_;
  std::vector<std::unique_ptr<node>> graves_;
  std::vector<std::string> violations_;

  /// By entity: the epochs of claims by their tokens, and the newest.
  struct claims {
    std::map<std::pair<uint64_t, uint64_t>, uint64_t> epochs;
    uint64_t newest = 0;
  };

  std::map<entity_id, claims> claims_;
};

} // namespace troupe::testing
