// The work of a PostgreSQL store: what changes it is a request of the thread that
// writes it, what is asked goes to the one that reads.

#pragma once

#include "actors/core/work_queue.hpp"
#include "nodes/store/postgres_asker.hpp"
#include "nodes/store/postgres_work_writer.hpp"

namespace troupe {

/// Callbacks come from threads of the store.
class postgres_work_queue final : public work_queue {
public:
  /// @param reader asks, with `postgres_work_queries::statements`; outlives this
  /// @throws error_exception `store_unavailable`
  postgres_work_queue(postgres_server& server, postgres_asker& reader)
    : reader_(reader), writer_(server) {}

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

private:
  /// Asks one query, and answers with what `decode` makes of its rows.
  template <class T, class Decode>
  void ask(postgres_call query, callback<T> done, Decode decode);

  /// Runs calls; the answer is the number that the last one gives.
  void change(std::vector<postgres_call> calls, callback<size_t> done);

  void take(std::vector<postgres_call> calls,
            callback<std::vector<claimed_work>> done);

  void push(postgres_work_writer::moving x);

  postgres_asker& reader_;
  postgres_work_writer writer_;
};

} // namespace troupe
