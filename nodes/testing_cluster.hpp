// A cluster under test: several nodes in one process, in virtual time, over a
// network and a store in memory. They run what real nodes run; only sockets,
// disks and clocks are the test's.
//
//   TEST(shop, survives_the_death_of_a_node) {
//     troupe::testing::cluster t{3, shop()};
//     EXPECT_EQ(t[0].call_entity(&counter::increment, "k", 2), 2);
//     t.kill(*t.owner<counter>("k"));
//     t.advance(10ms); // until the others' links break
//     EXPECT_EQ(t[t.any()].call_entity(&counter::get, "k"), 2);
//   }
//
// All happens on the thread of the test, in an order that the seed decides. A
// call goes on until it is answered, and takes no real time for what it waits.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <vector>

#include "actors/core/module.hpp"
#include "nodes/testing.hpp"
#include "nodes/testing_caller.hpp"

namespace troupe::testing {

struct cluster_settings {
  /// Decides delays in the network and the order of what comes together.
  uint64_t seed = 1;

  /// Fewer than a real cluster has, so that a test can look at all of them.
  uint32_t shards = 64;

  /// As on one host: the end of a process is known at once. Else others wait
  /// until its lease has run out, and longer.
  bool proof_of_death = false;
};

class cluster {
public:
  /// Nodes 0 to `count` - 1, each with `content`; returns when all are up and
  /// each has its part of the shards.
  /// @throws error_exception if the module cannot be installed, or they do not
  ///         come to rest
  cluster(size_t count, const module& content, cluster_settings settings = {});

  cluster(const cluster&) = delete;

  ~cluster();

  // -- properties ------------------------------------------------------------

  size_t size() const noexcept;

  uint64_t seed() const noexcept;

  /// Calls through node `i`: `t[0].call<int>("add", 1, 2)`. @pre it runs
  caller& operator[](size_t i);

  /// A node that runs and is not paused.
  /// @throws error_exception if there is none
  size_t any() const;

  /// It was not killed, and has not left.
  bool runs(size_t i) const;

  /// The node that owns the entity `key` of the service with class `S`, as `any`
  /// sees it; nothing if nobody does at the moment.
  template <class S>
  std::optional<size_t> owner(const std::string& key) {
    return owner_of(typeid(S), key);
  }

  /// The same by the name of the service.
  std::optional<size_t> owner(const std::string& service,
                              const std::string& key) const;

  // -- faults ----------------------------------------------------------------

  /// As SIGKILL. @pre it runs
  void kill(size_t i);

  /// Starts it anew. @pre it does not run
  void restart(size_t i);

  /// As SIGSTOP: it does nothing, and time goes on. @pre it runs
  void pause(size_t i);

  /// As SIGCONT. @pre it is paused
  void resume(size_t i);

  /// As SIGTERM: it gives its shards away and leaves.
  void drain(size_t i);

  /// Nothing goes between the nodes of `some` and the others. The store can be
  /// reached by all.
  void partition(const std::vector<size_t>& some);

  /// Everything goes everywhere again.
  void heal();

  /// Nobody reaches the store, or everybody does again.
  void store_away(bool is_away);

  /// Node `i` does not reach the store, or does again.
  void store_away(size_t i, bool is_away);

  // -- time ------------------------------------------------------------------

  /// Lets virtual time pass.
  void advance(std::chrono::nanoseconds time);

  /// Lets time pass until those that run see each other up and nothing moves.
  /// @throws error_exception if that takes more than a minute
  void settle();

  std::chrono::steady_clock::time_point now() const;

private:
  class member;
  class leases;
  class shards;
  class states;
  struct world;

  std::optional<size_t> owner_of(const std::type_info& type,
                                 const std::string& key);

  std::unique_ptr<world> world_;
};

} // namespace troupe::testing
