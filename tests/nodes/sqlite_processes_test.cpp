// Several processes on one file: no node does that yet, but the contract holds
// for them, and the cluster will lean on it.

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/store/sqlite_store.hpp"
#include "tests/support/store_calls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe {
namespace {

using testing::change;
using testing::claim;
using testing::commit;
using testing::load;

constexpr fencing_token ours{1, 1};
constexpr fencing_token theirs{2, 2};

sqlite_options shared() {
  sqlite_options result;
  result.use = folder_use::shared;
  return result;
}

class sqlite_processes_test : public ::testing::Test {
protected:
  testing::temporary_folder folder;
  const entity_id cart{"cart", "ann"};
};

// -- two stores on one file --------------------------------------------------

TEST_F(sqlite_processes_test, a_claim_in_one_fences_the_other) {
  sqlite_store one{folder.path(), shared()};
  sqlite_store two{folder.path(), shared()};
  claim(one, cart, ours).value();
  ASSERT_EQ(commit(one, change(cart, 0, "1", ours)), commit_outcome::done);
  auto claimed = claim(two, cart, theirs).value();
  EXPECT_EQ(claimed.found, (stored_state{1, "1", 1}));
  EXPECT_EQ(claimed.previous, ours);
  EXPECT_EQ(commit(one, change(cart, 1, "2", ours)), commit_outcome::refused);
  EXPECT_EQ(commit(two, change(cart, 1, "3", theirs)), commit_outcome::done);
  EXPECT_EQ(load(one, cart).value(), (stored_state{2, "3", 1}));
}

TEST_F(sqlite_processes_test, an_outcome_in_one_is_known_to_the_other) {
  sqlite_store one{folder.path(), shared()};
  sqlite_store two{folder.path(), shared()};
  claim(one, cart, ours).value();
  auto request = change(cart, 0, "1", ours);
  request.outcomes = {{"id", "print", 1, false, "a/b", "body"}};
  ASSERT_EQ(commit(one, request), commit_outcome::done);
  EXPECT_EQ(testing::find_outcome(two, cart, "id").value(),
            request.outcomes[0]);
  claim(two, cart, theirs).value();
  request.token = theirs;
  request.base = 1;
  request.next.revision = 2;
  EXPECT_EQ(commit(two, request), commit_outcome::refused);
}

TEST_F(sqlite_processes_test, one_that_starts_leaves_the_others_claims_alone) {
  sqlite_store one{folder.path(), shared()};
  claim(one, cart, ours).value();
  sqlite_store two{folder.path(), shared()};
  EXPECT_EQ(commit(one, change(cart, 0, "1", ours)), commit_outcome::done);
}

TEST_F(sqlite_processes_test, a_node_still_has_its_folder_alone) {
  sqlite_store node{folder.path()};
  EXPECT_THROW(sqlite_store{folder.path()}, error_exception);
}

// -- three processes ---------------------------------------------------------

constexpr uint64_t processes = 3;
constexpr uint64_t increments = 40;
const std::vector<std::string> keys{"a", "b"};

std::string outcome_id(uint64_t process, uint64_t increment) {
  return std::to_string(process) + "/" + std::to_string(increment);
}

/// Adds 1 to the counters, again and again, each time as a new owner; another
/// process may claim between any two steps. Returns the exit status.
int increment_as(uint64_t process, const std::filesystem::path& folder) {
  sqlite_store store{folder, shared()};
  uint64_t round = 0;
  for (uint64_t i = 0; i < increments; ++i) {
    entity_id entity{"counter", keys[i % keys.size()]};
    for (auto done = false; !done;) {
      fencing_token token{process, ++round};
      auto claimed = claim(store, entity, token);
      if (!claimed)
        continue;
      auto& found = claimed->found;
      auto value = found.exists() ? std::stoull(found.state) : 0;
      auto next =
        change(entity, found.revision, std::to_string(value + 1), token);
      next.outcomes = {{outcome_id(process, i), "", 0, false, "", ""}};
      auto outcome = commit(store, next);
      if (outcome == commit_outcome::unknown)
        return 1;
      done = outcome == commit_outcome::done;
    }
  }
  return 0;
}

TEST_F(sqlite_processes_test, three_that_fight_over_keys_lose_no_update) {
  { sqlite_store made{folder.path(), shared()}; }
  std::vector<pid_t> children;
  for (uint64_t process = 1; process <= processes; ++process) {
    auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      _exit(increment_as(process, folder.path()));
    children.push_back(child);
  }
  for (auto child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  sqlite_store store{folder.path()};
  for (auto& key : keys) {
    auto found = load(store, {"counter", key}).value();
    EXPECT_EQ(found.revision, processes * increments / keys.size());
    EXPECT_EQ(found.state, std::to_string(found.revision));
  }
  for (uint64_t process = 1; process <= processes; ++process)
    for (uint64_t i = 0; i < increments; ++i)
      EXPECT_TRUE(testing::find_outcome(store,
                                        {"counter", keys[i % keys.size()]},
                                        outcome_id(process, i))
                    .value());
}

} // namespace
} // namespace troupe
