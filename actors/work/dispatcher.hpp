// Accepts work that is done later, and does it: takes what is due out of the
// durable queue (core/work_queue.hpp), calls functions and services as any other
// caller would, and says what came of it. One for each node; all of them take
// from the same queue, each as much as it has room for (model/work_lanes.hpp).
//
// Work that comes where there is room is accepted as claimed, and begins as soon
// as it is durable: it is written twice in all, when it comes and when it is
// done. Else it waits, and whichever node has room first takes it.
//
// What is done at least once may be done twice: when a node dies, when it cannot
// say what came of an attempt. A change of an entity is not: the id of the work
// is its idempotency key, which is recorded with the state that it changed.

#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/core/event_sender.hpp"
#include "actors/core/interfaces.hpp"
#include "actors/core/work_id.hpp"
#include "actors/core/work_outlet.hpp"
#include "actors/core/work_policy.hpp"
#include "actors/core/work_queue.hpp"
#include "actors/model/work_lanes.hpp"
#include "actors/work/work_counts.hpp"

namespace troupe {

/// What a dispatcher must know of the nodes that share its queue.
struct work_peers {
  /// This node's incarnation; empty while it must not claim anything.
  std::function<std::string()> self;

  /// The incarnations that are not down, this one included, not older than two
  /// seconds; nothing if that is not known now.
  std::function<std::optional<std::vector<std::string>>()> alive;
};

struct dispatcher_options {
  work_lanes_options room{defaults::work::lane_max, defaults::work::node_max};

  /// Of a function's or service's lane; may be empty. Asked now and then, from
  /// any thread: of a lane there is one policy.
  std::function<work_policy(const std::string& lane)> policy{};

  /// How often the store is asked for work of which nobody told this node.
  std::chrono::milliseconds look = defaults::work::look;

  std::chrono::milliseconds keep_results = defaults::work::keep_results;
  std::chrono::milliseconds keep_dead = defaults::work::keep_dead;

  /// Tells those outside; null: this node tells nobody. Outlives the dispatcher.
  event_sender* sender = nullptr;

  /// The wall clock.
  std::function<work_time()> clock{};

  /// For pauses; 0: another one for each node.
  uint64_t seed = 0;
};

/// Thread-safe. Callbacks come on any thread, maybe before the function returns,
/// exactly once, and must not block.
class dispatcher final : public work_outlet {
public:
  template <class T>
  using callback = work_queue::callback<T>;

  /// @param queue outlives every callback; null if the store has none: then
  ///        everything is answered `not_implemented`
  /// @param env outlives it
  dispatcher(work_queue* queue, work_peers peers, const call_environment& env,
             dispatcher_options options);

  dispatcher(const dispatcher&) = delete;

  ~dispatcher() override;

  /// Starts the actor that does the work. Until then, and once it has ended,
  /// work is accepted and waits.
  caf::actor start(caf::local_actor* parent);

  class starter;

  /// Accepts work, durably: when it was accepted, and how often and until when
  /// it is tried, is set here; so is the fingerprint if there is a key without
  /// one. See `work_queue::accept` for errors; and `payload_too_large`.
  ///
  /// If the request has a home, a `starter` there begins it, once `done` was
  /// called; should it not, the worker does so a moment later.
  void accept(work_request request, callback<work_accepted> done) {
    accept(std::make_shared<work_request>(std::move(request)), std::move(done));
  }

  /// The same; it is the dispatcher's from now on.
  void accept(std::shared_ptr<work_request> request,
              callback<work_accepted> done);

  /// Accepts all of it, durably, or nothing; see `accept` and
  /// `work_queue::accept_all`. It begins once it is taken out of the queue.
  void accept_all(std::vector<work_request> requests,
                  callback<std::vector<work_accepted>> done);

  /// Keeps something that failed elsewhere as a dead letter, of which `why` is
  /// the error: answered when it is durable that nobody runs it. A repeat with
  /// its idempotency key is the same letter. `store_unavailable` also while this
  /// node may not claim anything.
  void bury(work_request letter, const error& why,
            callback<work_accepted> done);

  /// Where work can be looked at; null if there is none.
  work_queue* queue() noexcept { return queue_; }

  // -- work that entities send -----------------------------------------------

  work_time now() const override { return options_.clock(); }

  void complete(work_request& x) override;

  void waits(const std::string& lane, work_time due) override;

  /// How work for that lane is treated.
  std::shared_ptr<const work_policy> policy_of(const std::string& lane) const;

  const work_counts& counts() const noexcept { return counts_; }

  /// What runs here now, and what is being fetched.
  uint32_t running() const;

  /// How much there was in the store not long ago; nothing if that is not known.
  /// It takes the store a while to count, so that is done only while somebody
  /// asks now and then.
  std::optional<std::vector<work_count>> depth() const;

  /// Why this node leaves the work of a lane to others (`not_found`); nothing if
  /// it does it.
  std::optional<error> why_it_waits(const std::string& lane) const;

  /// Nobody tries what nobody here can do: has it say so, in place of the error
  /// that there is none of.
  void explain(work_view& x) const;

  /// Nothing new begins here; what runs goes on.
  void stop_claiming();

private:
  class worker;
  class attempt;

  /// A report that must be given again.
  struct unsettled {
    work_queue::report_ptr report;
    std::string lane;
    uint32_t tries = 0;
  };

  struct id_hash {
    size_t operator()(const invocation_id& x) const noexcept {
      return static_cast<size_t>(x.high ^ x.low);
    }
  };

  /// @param lane whose place is free once it is settled; empty: none's
  void report(work_queue::report_ptr what, std::string lane, uint32_t tries);

  /// There is room for it now; then it has its place.
  bool begins(const work_item& x);

  void accept_waiting(const std::shared_ptr<work_request>& request,
                      callback<work_accepted> done);

  /// @pre it has a place in its lane
  void accept_claimed(const std::shared_ptr<work_request>& request,
                      callback<work_accepted> done);
  void begin_claimed(work_request& x);
  void drop_claimed(const work_request& x, const expected<work_accepted>& why);

  /// Durable, and claimed by this node: it is to run. @pre the mutex is held
  void take(claimed_work work, std::string claimed_by);

  /// Sets what is to be said of a request before it is accepted; what is wrong
  /// with it, if something is.
  std::optional<error> make_ready(work_request& x) const;

  /// Sets what is the dispatcher's to say of new work.
  void prepare(work_item& item, const work_policy& policy) const;

  /// The second step of `bury`. @pre it is accepted, and claimed by this node
  void report_dead(work_report what, work_accepted accepted,
                   callback<work_accepted> done);

  void ended(attempt& what);
  work_report report_of(attempt& what);

  /// Its result can be given to what follows it.
  static bool can_follow(attempt& what, const work_policy& policy);
  work_report success(attempt& what, const work_policy& policy);
  work_report failure(attempt& what, const work_policy& policy, error reason);
  std::vector<work_request> follow_up(const work_item& source, work_end how,
                                      const std::vector<work_destination>& to,
                                      const payload& arguments);

  /// `next` is accepted with the report.
  void follow(work_report& report, work_request next);

  void settle(const work_queue::report_ptr& report, const std::string& lane,
              work_outcome outcome, uint32_t tries);
  void count(const work_report& what);

  /// Has the worker look at what is there. @pre the mutex is held
  void wake();

  work_queue* queue_;
  const work_peers peers_;
  const call_environment& env_;
  const dispatcher_options options_;
  work_counts counts_;

  /// Policies that were asked for: each call needs its own several times.
  mutable std::mutex policies_mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<const work_policy>>
    policies_;

  mutable std::mutex mutex_; // guards what follows
  std::mt19937_64 random_;
  work_ids ids_;
  caf::actor worker_;
  bool woken_ = false;
  bool claims_ = false;
  work_lanes lanes_;
  std::unordered_set<invocation_id, id_hash> running_;

  /// What is to run next, with the incarnation that claimed it.
  std::vector<std::pair<claimed_work, std::string>> inbox_;
  std::vector<unsettled> unsettled_;

  /// Lanes that got work here, of functions and services that may be elsewhere.
  std::map<std::string, work_time> followed_;

  /// The store did not say what became of a claim: there may be work that is
  /// claimed and that nobody does.
  bool look_for_lost_ = false;

  std::optional<std::vector<work_count>> depth_;

  /// For so many more times, somebody may ask for it.
  mutable uint32_t count_again_ = 0;
};

} // namespace troupe
