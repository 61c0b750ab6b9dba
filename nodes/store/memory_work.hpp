// Work that waits as long as the process lives.

#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/work_queue.hpp"

namespace troupe {

/// Calls back before its functions return.
class memory_work_queue : public work_queue {
public:
  using work_queue::accept;
  using work_queue::report;

  void accept(request_ptr request, callback<work_accepted> done) override;

  void accept_all(std::vector<work_request> requests,
                  callback<std::vector<work_accepted>> done) override;

  void lanes(std::string after, size_t limit,
             callback<std::vector<work_lane>> done) override;

  void claim(std::string claimed_by, std::vector<work_quota> quotas,
             work_time now, callback<std::vector<claimed_work>> done) override;

  void report(report_ptr what, work_time now,
              std::function<void(work_outcome)> done) override;

  void claimants(callback<std::vector<std::string>> done) override;

  void give_back(std::string claimed_by, work_time now, size_t limit,
                 callback<size_t> done) override;

  void claim_expired(std::string claimed_by, work_time now, size_t limit,
                     callback<std::vector<claimed_work>> done) override;

  void forget(work_time finished, work_time died, work_time now, size_t limit,
              callback<size_t> done) override;

  void find(invocation_id id, callback<std::optional<work_view>> done) override;

  void item(invocation_id id, callback<std::optional<work_item>> done) override;

  void list(work_selection which,
            callback<std::vector<work_view>> done) override;

  void count(callback<std::vector<work_count>> done) override;

  void redrive(work_selection which, work_time now, work_time expires,
               callback<size_t> done) override;

  void purge(work_selection which, callback<size_t> done) override;

  // -- for the store ---------------------------------------------------------

  /// What a commit does to it; see `commit_request`.
  void change_with(std::vector<work_request> work,
                   const std::vector<invocation_id>& withdrawn);

private:
  /// A key and the target that it is of.
  using key_name = std::pair<std::string, std::string>;

  struct row {
    work_item item;
    std::string key;
    work_state state = work_state::waiting;
    uint32_t attempts = 0;

    /// Whose claim the last one was.
    std::string claimed_by{};
    work_time finished{};
    payload answer{};
  };

  struct known_key {
    invocation_id id;
    std::string fingerprint;
    work_time accepted;
  };

  using moment = std::pair<work_time, invocation_id>;

  /// Waiting work of a lane: the highest priority first, then what is due.
  using lane_queue = std::map<uint8_t, std::set<moment>, std::greater<uint8_t>>;

  using rows_of_work = std::map<invocation_id, row>;

  // These want the mutex.

  expected<work_accepted> add(work_request request);

  void take(const std::string& claimed_by, const work_quota& quota,
            work_time now, std::vector<claimed_work>& to);

  work_outcome apply(work_report what, work_time now);

  /// Lets `f` change a row that is there, and the orders with it.
  template <class F>
  void change(rows_of_work::iterator at, F f);

  /// The same for up to `limit` of the rows that `ids` says; how many.
  template <class Ids, class F>
  size_t change_first(const Ids& ids, size_t limit, F f);

  void remove(rows_of_work::iterator at);

  /// The same, with its key.
  void purge(rows_of_work::iterator at);

  size_t remove_before(std::set<moment>& order, work_time end, size_t limit);

  size_t remove_keys_before(work_time end, size_t limit);

  std::vector<invocation_id> select(const work_selection& which) const;

  /// Puts a row into the orders of its state, or takes it out.
  void enter(const row& x);
  void leave(const row& x);

  static work_view view(const row& x);

  std::mutex mutex_;
  rows_of_work rows_;
  std::map<key_name, known_key> keys_;

  // -- orders ----------------------------------------------------------------

  std::map<std::string, lane_queue> waiting_;
  std::set<moment> expiring_;
  std::map<std::string, std::set<invocation_id>> claims_;
  std::set<moment> finished_;
  std::set<moment> dead_;
  std::set<std::pair<work_time, key_name>> keys_by_age_;
};

} // namespace troupe
