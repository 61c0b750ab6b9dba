// A store that fails in every way in which a store may, by chance: before a
// commit, after it, without telling, late, slowly, with a full disk, and because
// somebody else has claimed the entity. It does nothing by itself: requests wait
// until the test lets one of them go on with `step`, so that a run in virtual
// time is the same for the same seed.
//
// It keeps the contract of `state_store`: what one entity is asked for happens in
// its order, and is answered in it. A write that comes late goes to the store
// beneath with the token that it had, so it is that store that has to refuse it
// after a claim.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/backends.hpp"

namespace troupe::testing {

/// Of 1000 chances each.
struct fault_plan {
  /// Of commits:

  /// Nothing is written, and it says so.
  unsigned failed = 30;
  /// Nothing is written, and nobody is told.
  unsigned lost = 30;
  /// It is written, and nobody is told.
  unsigned untold = 30;
  /// Nobody is told, and it is written later, if nobody has claimed the entity
  /// by then.
  unsigned late = 30;
  /// Nothing can be written for a while.
  unsigned full_disk = 5;
  /// Somebody else claims the entity right before, and may change it.
  unsigned overtaken = 20;

  /// Of claims:

  /// Without effect.
  unsigned claim_failed = 80;
  /// With it.
  unsigned claim_untold = 80;

  /// Of all:

  /// It takes long.
  unsigned slow = 20;
  /// While nothing else happens, somebody else claims an entity.
  unsigned claimed_away = 3;
};

/// For one thread. The store beneath calls back before its functions return.
class faulty_store final : public state_store {
public:
  using clock = std::chrono::steady_clock;

  faulty_store(std::unique_ptr<state_store> inner, uint64_t seed,
               fault_plan plan = {})
    : inner_(std::move(inner)), random_(seed), plan_(plan) {}

  // -- the test's side -------------------------------------------------------

  /// What somebody else makes of a state after claiming it; nothing: leaves it.
  std::function<std::optional<std::string>(const entity_id&,
                                           const stored_state&)>
    on_other;

  /// The node has been told of the first `n` changes of somebody else: it was
  /// refused, or has claimed the entity again.
  std::function<void(const entity_id&, size_t n)> on_other_seen;

  /// Lets one request, at random, go on; false if none can at that time.
  bool step(clock::time_point now) {
    now_ = now;
    if (!entities_.empty() && chance(plan_.claimed_away)) {
      auto i = entities_.begin();
      std::advance(i, random_() % entities_.size());
      let_other_claim(i->first);
    }
    std::vector<std::function<void()>> ready;
    for (auto& [id, x] : entities_) {
      for (auto queue : {&x.requests, &x.answers})
        if (!queue->empty() && queue->front().not_before <= now)
          ready.emplace_back([queue] {
            auto what = std::move(queue->front().run);
            queue->pop_front();
            what();
          });
      if (!x.late.empty())
        ready.emplace_back([this, &x = x] { land(x); });
    }
    if (ready.empty())
      return false;
    ready[random_() % ready.size()]();
    return true;
  }

  /// No faults from now on.
  void heal() {
    plan_ = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    full_until_ = {};
  }

  /// How often it did something other than what it was asked for.
  size_t faults() const noexcept { return faults_; }

  // -- state_store -----------------------------------------------------------

  void claim(entity_id entity, fencing_token token,
             std::optional<shard_ownership> owned,
             callback<claimed_state> done) override {
    request(entity, [=, this] {
      auto untold = chance(plan_.claim_untold);
      if (is_full() || chance(plan_.claim_failed)) {
        fail(entity, done);
        return;
      }
      inner_->claim(entity, token, owned, [&](expected<claimed_state> found) {
        if (untold)
          fail(entity, done);
        else
          answer(entity, [=, this, n = entities_[entity].others] {
            tell(entity, n);
            done(found);
          });
      });
    });
  }

  void commit(commit_request x, commit_callback done) override {
    request(x.entity, [=, this] {
      settle_late(entities_[x.entity]);
      auto outcome = decide(x);
      answer(x.entity, [=, this, n = entities_[x.entity].others] {
        if (outcome == commit_outcome::refused)
          tell(x.entity, n);
        done(outcome);
      });
    });
  }

  void release(entity_id entity, fencing_token token) override {
    request(entity, [=, this] { inner_->release(entity, token); });
  }

  void find_outcome(entity_id entity, std::string id,
                    callback<std::optional<recorded_outcome>> done) override {
    request(entity, [=, this] {
      if (chance(plan_.claim_failed))
        fail(entity, done);
      else
        inner_->find_outcome(entity, id, pass_on(entity, done));
    });
  }

  void load(entity_id entity, callback<stored_state> done) override {
    request(entity, [=, this] {
      if (chance(plan_.claim_failed))
        fail(entity, done);
      else
        inner_->load(entity, pass_on(entity, done));
    });
  }

  void list(list_request x,
            callback<std::vector<listed_entity>> done) override {
    inner_->list(std::move(x), std::move(done));
  }

  work_queue* work() noexcept override { return inner_->work(); }

  std::string describe() const override { return "faulty:"; }

private:
  struct job {
    clock::time_point not_before;
    std::function<void()> run;
  };

  struct entity {
    std::deque<job> requests;
    std::deque<job> answers;
    std::deque<commit_request> late;
    size_t others = 0; // changes by somebody else
  };

  bool chance(unsigned of_1000) {
    if (random_() % 1000 >= of_1000)
      return false;
    ++faults_;
    return true;
  }

  bool is_full() const { return now_ < full_until_; }

  // -- what waits ------------------------------------------------------------

  void request(const entity_id& id, std::function<void()> run) {
    entities_[id].requests.push_back({when(), std::move(run)});
  }

  void answer(const entity_id& id, std::function<void()> run) {
    entities_[id].answers.push_back({when(), std::move(run)});
  }

  clock::time_point when() {
    if (!chance(plan_.slow))
      return now_;
    return now_ + std::chrono::milliseconds{1 + random_() % 2000};
  }

  template <class T>
  void fail(const entity_id& id, const callback<T>& done) {
    answer(id, [done] {
      done(error{errc::store_unavailable, "the store is away"});
    });
  }

  template <class T>
  callback<T> pass_on(const entity_id& id, const callback<T>& done) {
    return [=, this](expected<T> x) { answer(id, [=] { done(x); }); };
  }

  // -- commits ---------------------------------------------------------------

  commit_outcome decide(const commit_request& x) {
    if (chance(plan_.full_disk))
      full_until_ = now_ + std::chrono::milliseconds{random_() % 200};
    if (is_full() || chance(plan_.failed))
      return commit_outcome::failed;
    if (chance(plan_.lost))
      return commit_outcome::unknown;
    if (chance(plan_.late)) {
      entities_[x.entity].late.push_back(x);
      return commit_outcome::unknown;
    }
    if (chance(plan_.overtaken))
      let_other_claim(x.entity);
    auto untold = chance(plan_.untold);
    auto outcome = write(x);
    return untold ? commit_outcome::unknown : outcome;
  }

  commit_outcome write(const commit_request& x) {
    auto result = commit_outcome::unknown;
    inner_->commit(x, [&](commit_outcome outcome) { result = outcome; });
    return result;
  }

  void land(entity& x) {
    auto late = std::move(x.late.front());
    x.late.pop_front();
    write(late);
  }

  /// The order of commits: a late one comes before the next, or never.
  void settle_late(entity& x) {
    if (random_() % 2 == 0)
      x.late.clear();
    while (!x.late.empty())
      land(x);
  }

  // -- somebody else ---------------------------------------------------------

  void tell(const entity_id& id, size_t n) {
    if (on_other_seen)
      on_other_seen(id, n);
  }

  void let_other_claim(const entity_id& id) {
    fencing_token token{random_(), random_()};
    inner_->claim(id, token, [&](expected<claimed_state> claimed) {
      if (!claimed || !on_other)
        return;
      auto& found = claimed->found;
      if (auto next = on_other(id, found)) {
        ++entities_[id].others;
        write({id,
               token,
               found.revision,
               {found.revision + 1, *next, found.schema},
               {},
               {}});
      }
    });
  }

  std::unique_ptr<state_store> inner_;
  std::mt19937_64 random_;
  fault_plan plan_;
  clock::time_point now_;
  clock::time_point full_until_;
  std::map<entity_id, entity> entities_;
  size_t faults_ = 0;
};

} // namespace troupe::testing
