// A store in memory that fails as the test says: before a commit, after it,
// without telling, or late. Its answers come on the thread of the test.

#pragma once

#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "actors/core/backends.hpp"
#include "actors/core/lock_backend.hpp"
#include "nodes/store/memory_work.hpp"

namespace troupe::testing {

/// Commits are checked against `test_store::held_locks`; nobody else asks.
class unasked_locks final : public lock_table {
public:
  void acquire(lock_request, callback<lock_answer> done) override {
    fail(done);
  }

  void renew(lock_proof, std::optional<std::chrono::milliseconds>,
             callback<lock_answer> done) override {
    fail(done);
  }

  void release(lock_proof, callback<lock_answer> done) override { fail(done); }

  void find(std::string, callback<lock_row> done) override { fail(done); }

private:
  template <class T>
  void fail(const callback<T>& done) {
    done(error{errc::not_implemented, "this store only checks them"});
  }
};

class test_store final : public state_store {
public:
  /// What becomes of one commit.
  enum class fate {
    /// As the contract says.
    normal,
    /// Nothing is written, and it says so.
    failed,
    /// Somebody else has claimed the entity and changed it: ours is refused.
    overtaken,
    /// It is written, but nobody is told.
    unknown_written,
    /// It is not written, and nobody is told.
    unknown_lost,
  };

  /// The fates of the next commits, in their order.
  std::deque<fate> fates;

  /// So many claims and questions for outcomes fail.
  size_t failing_loads = 0;

  /// Answers wait for `release`.
  bool held = false;

  /// What somebody else writes, for `overtaken`.
  std::string other_state;

  std::map<entity_id, stored_state> entities;
  std::map<entity_id, fencing_token> tokens;
  std::map<std::pair<entity_id, std::string>, recorded_outcome> outcomes;

  /// What claims on the grounds of an ownership are checked against.
  std::map<uint32_t, std::optional<shard_ownership>> owners;

  /// The tokens that commits may show.
  std::map<std::string, uint64_t> held_locks;
  bool has_locks = true;

  /// What came with commits waits here.
  memory_work_queue queue;

  /// The locks of the last commit.
  std::vector<lock_proof> shown;

  size_t loads = 0;
  size_t commits = 0;
  size_t releases = 0;
  size_t lookups = 0;

  void release() {
    held = false;
    for (auto& answer : std::exchange(waiting_, {}))
      answer();
  }

  /// Lets so many answers go that wait.
  void release(size_t count) {
    for (; count > 0 && !waiting_.empty(); --count) {
      auto answer = std::move(waiting_.front());
      waiting_.pop_front();
      answer();
    }
  }

  /// Another node claims `entity`, and changes it if `state` says how.
  void take_over(const entity_id& entity, const std::string& state = {}) {
    tokens[entity] = {9, ++others_};
    if (!state.empty())
      entities[entity] = {entities[entity].revision + 1, state};
  }

  // -- state_store -----------------------------------------------------------

  void claim(entity_id entity, fencing_token token,
             std::optional<shard_ownership> owned,
             callback<claimed_state> done) override {
    ++loads;
    answer([this, entity = std::move(entity), token, owned = std::move(owned),
            done = std::move(done)] {
      if (fails()) {
        done(error{errc::store_unavailable, "the store is away"});
        return;
      }
      if (owned && owners[owned->shard] != owned) {
        done(error{errc::not_owner, "another node owns the shard"});
        return;
      }
      claimed_state result;
      if (auto i = entities.find(entity); i != entities.end())
        result.found = i->second;
      if (auto i = tokens.find(entity); i != tokens.end())
        result.previous = i->second;
      tokens[entity] = token;
      done(result);
    });
  }

  void commit(commit_request request, commit_callback done) override {
    ++commits;
    auto what = fate::normal;
    if (!fates.empty()) {
      what = fates.front();
      fates.pop_front();
    }
    shown = request.locks;
    answer([this, what, request = std::move(request), done = std::move(done)] {
      done(apply(what, request));
    });
  }

  void release(entity_id entity, fencing_token token) override {
    ++releases;
    if (tokens[entity] == token && entities[entity].revision == 0) {
      tokens.erase(entity);
      entities.erase(entity);
    }
  }

  void find_outcome(entity_id entity, std::string id,
                    callback<std::optional<recorded_outcome>> done) override {
    ++lookups;
    answer([this, key = std::pair{std::move(entity), std::move(id)},
            done = std::move(done)] {
      if (fails())
        done(error{errc::store_unavailable, "the store is away"});
      else if (auto i = outcomes.find(key); i != outcomes.end())
        done(std::optional{i->second});
      else
        done(std::optional<recorded_outcome>{});
    });
  }

  void load(entity_id entity, callback<stored_state> done) override {
    auto i = entities.find(entity);
    done(i != entities.end() ? i->second : stored_state{});
  }

  void list(list_request, callback<std::vector<listed_entity>> done) override {
    done(error{errc::not_implemented, "this store lists nothing"});
  }

  lock_table* locks() noexcept override {
    return has_locks ? &locks_ : nullptr;
  }

  work_queue* work() noexcept override { return &queue; }

  std::string describe() const override { return "test:"; }

private:
  void answer(std::function<void()> f) {
    if (held)
      waiting_.push_back(std::move(f));
    else
      f();
  }

  bool fails() {
    if (failing_loads == 0)
      return false;
    --failing_loads;
    return true;
  }

  commit_outcome apply(fate what, const commit_request& x) {
    switch (what) {
    case fate::failed:
      return commit_outcome::failed;
    case fate::unknown_lost:
      return commit_outcome::unknown;
    case fate::overtaken:
      take_over(x.entity, other_state);
      return commit_outcome::refused;
    case fate::unknown_written:
      return write(x) == commit_outcome::done ? commit_outcome::unknown
                                              : commit_outcome::refused;
    case fate::normal:
      break;
    }
    return write(x);
  }

  commit_outcome write(const commit_request& x) {
    auto token = tokens.find(x.entity);
    if (token == tokens.end() || token->second != x.token
        || entities[x.entity].revision != x.base)
      return commit_outcome::refused;
    for (auto& record : x.outcomes)
      if (outcomes.contains({x.entity, record.id}))
        return commit_outcome::refused;
    for (auto& lock : x.locks)
      if (held_locks[lock.name] != lock.token)
        return commit_outcome::lock_lost;
    if (x.next.revision != x.base)
      entities[x.entity] = x.next;
    for (auto& record : x.outcomes)
      outcomes[{x.entity, record.id}] = record;
    queue.change_with(x.work, x.withdrawn);
    return commit_outcome::done;
  }

  std::deque<std::function<void()>> waiting_;
  uint64_t others_ = 0;
  unasked_locks locks_;
};

} // namespace troupe::testing
