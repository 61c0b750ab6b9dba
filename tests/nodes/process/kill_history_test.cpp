// A node that is killed again and again while clients are in the middle of their
// calls. Whatever they saw must have an explanation by one object that lost
// nothing that it acknowledged and did nothing twice; and as a killed process
// does nothing any more, what was unknown then took effect before, or never.
//
// TROUPE_KILL_ROUNDS sets how often, TROUPE_SEED with which chances.

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/history_clients.hpp"

namespace troupe::testing {
namespace {

constexpr uint32_t clients_per_key = 8;

/// Operations of a round, so that the ones that a kill hits are few of all.
constexpr size_t operations_min = 700;
constexpr size_t operations_max = 1400;

class kill_history : public ::testing::Test {
protected:
  kill_history() {
    for (uint32_t i = 0; i < clients_per_key; ++i) {
      clients_.start(std::make_unique<counter_client>(address_, random_(), i,
                                                      "c", counters_));
      clients_.start(std::make_unique<register_client>(address_, random_(), i,
                                                       "d", registers_));
    }
  }

  ~kill_history() override {
    address_.close();
    clients_.join();
  }

  void start(const test::words& options = {}) {
    test::node_settings settings;
    settings.folder = folder_.path();
    settings.options = options;
    node_.emplace(settings);
    address_.up(node_->port());
  }

  history_counts counts() const {
    auto result = counters_.counts();
    result += registers_.counts();
    return result;
  }

  /// Kills the node after so many operations, at some moment of some commit.
  void kill_after(size_t operations) {
    address_.wait_for(operations);
    pause(std::chrono::microseconds{random_() % 2000});
    node_->kill();
    address_.wait_for_all();
    counters_.close_unknown();
    registers_.close_unknown();
  }

  /// What was acknowledged is there after the last start: the clients read it.
  void finish() {
    address_.wait_for(operations_min);
    address_.close();
    clients_.join();
  }

  size_t some_operations() {
    return operations_min + random_() % (operations_max - operations_min);
  }

  /// So that the kill comes when the node has just started.
  size_t few_operations() { return random_() % 50; }

  /// A signal has no grain of its own: without this it would always come right
  /// after an answer.
  static void pause(std::chrono::microseconds time) {
    auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end)
      ;
  }

  uint64_t seed_ = history_seed();
  std::mt19937_64 random_{seed_};
  temporary_folder folder_;
  std::optional<test::node_process> node_;
  history<counter_specification> counters_;
  history<register_specification> registers_;
  node_address address_;
  client_threads clients_;
};

TEST_F(kill_history, of_counters_and_compare_and_set_is_linearizable) {
  auto rounds = number_from_environment("TROUPE_KILL_ROUNDS", 5);
  size_t hits = 0;
  for (uint64_t i = 0; i < rounds; ++i) {
    start();
    auto before = counts().unknown;
    kill_after(i % 5 == 3 ? few_operations() : some_operations());
    hits += counts().unknown > before ? 1 : 0;
  }
  start();
  finish();
  auto all = counts();
  std::cout << all << "; " << hits << " of " << rounds
            << " kills hit an operation in flight\n";
  EXPECT_TRUE(is_linearizable(counters_));
  EXPECT_TRUE(is_linearizable(registers_));
  EXPECT_GT(hits, rounds / 2);
  EXPECT_LE(all.unknown_percent(), 5.0);
  EXPECT_GT(all.completed, rounds * operations_min / 2);
}

// The test can fail: this store forgets what was acknowledged.
TEST_F(kill_history, of_a_store_in_memory_is_not_linearizable) {
  start({"--store", "memory:"});
  kill_after(some_operations());
  start({"--store", "memory:"});
  finish();
  EXPECT_FALSE(is_linearizable(counters_));
  EXPECT_FALSE(is_linearizable(registers_));
}

} // namespace
} // namespace troupe::testing
