// A store in memory that fails as the test says: before a commit, after it,
// without telling, or late. Its answers come on the thread of the test.

#pragma once

#include <deque>
#include <functional>
#include <map>
#include <utility>

#include "actors/core/backends.hpp"

namespace troupe::testing {

class test_store final : public state_store {
public:
  /// What becomes of one commit.
  enum class fate {
    /// As the contract says.
    normal,
    /// Nothing is written, and it says so.
    failed,
    /// Somebody else was quicker: their change is there, ours is refused.
    overtaken,
    /// It is written, but nobody is told.
    unknown_written,
    /// It is not written, and nobody is told.
    unknown_lost,
  };

  /// The fates of the next commits, in their order.
  std::deque<fate> fates;

  /// So many loads fail.
  size_t failing_loads = 0;

  /// Answers wait for `release`.
  bool held = false;

  /// What somebody else writes, for `overtaken`.
  std::string other_state;

  std::map<entity_id, stored_state> entities;
  size_t loads = 0;
  size_t commits = 0;

  void release() {
    held = false;
    for (auto& answer : std::exchange(waiting_, {}))
      answer();
  }

  void load(entity_id entity, load_callback done) override {
    ++loads;
    answer([this, entity = std::move(entity), done = std::move(done)] {
      if (failing_loads > 0) {
        --failing_loads;
        done(error{errc::store_unavailable, "the store is away"});
      } else if (auto i = entities.find(entity); i != entities.end()) {
        done(std::optional{i->second});
      } else {
        done(std::optional<stored_state>{});
      }
    });
  }

  void commit(commit_request request, commit_callback done) override {
    ++commits;
    auto what = fate::normal;
    if (!fates.empty()) {
      what = fates.front();
      fates.pop_front();
    }
    answer([this, what, request = std::move(request), done = std::move(done)] {
      done(apply(what, request));
    });
  }

  std::string describe() const override { return "test:"; }

private:
  void answer(std::function<void()> f) {
    if (held)
      waiting_.push_back(std::move(f));
    else
      f();
  }

  commit_outcome apply(fate what, const commit_request& x) {
    switch (what) {
    case fate::failed:
      return commit_outcome::failed;
    case fate::unknown_lost:
      return commit_outcome::unknown;
    case fate::overtaken:
      entities[x.entity] = {x.base + 1, other_state};
      return commit_outcome::refused;
    case fate::unknown_written:
      entities[x.entity] = x.next;
      return commit_outcome::unknown;
    case fate::normal:
      break;
    }
    if (entities[x.entity].revision != x.base)
      return commit_outcome::refused;
    entities[x.entity] = x.next;
    return commit_outcome::done;
  }

  std::deque<std::function<void()>> waiting_;
};

} // namespace troupe::testing
