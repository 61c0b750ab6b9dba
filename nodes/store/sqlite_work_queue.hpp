// The work of a SQLite store: what changes it is a request of the thread that
// writes, what is asked is one of the thread that reads.

#pragma once

#include "actors/core/work_queue.hpp"

namespace troupe {

class sqlite_reader;
class sqlite_writer;

/// Callbacks come from threads of the store.
class sqlite_work_queue final : public work_queue {
public:
  /// @param writer, reader outlive this
  sqlite_work_queue(sqlite_writer& writer, sqlite_reader& reader)
    : writer_(writer), reader_(reader) {}

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
  enum class haste { none, some };

  /// Lets the thread that writes run `f`, whose answer is `done`'s.
  template <class F, class Done>
  void change(F f, Done done, haste how = haste::some,
              std::shared_ptr<home_thread> home = nullptr);

  template <class T, class Query>
  void ask(callback<T> done, Query query);

  sqlite_writer& writer_;
  sqlite_reader& reader_;
};

} // namespace troupe
