#include "nodes/store/sqlite_work_queue.hpp"

#include <optional>
#include <utility>

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_reader.hpp"
#include "nodes/store/sqlite_work.hpp"
#include "nodes/store/sqlite_writer.hpp"

namespace troupe {

namespace {

/// What a change that was not done is answered with.
template <class T>
void tell_not_done(const std::function<void(expected<T>)>& done,
                   commit_outcome outcome) {
  auto reason = store_unavailable("the work could not be written");
  if (outcome == commit_outcome::unknown)
    reason.with_effect(effect::unknown);
  done(std::move(reason));
}

void tell_not_done(const std::function<void(work_outcome)>& done,
                   commit_outcome outcome) {
  done(outcome == commit_outcome::unknown ? work_outcome::unknown
                                          : work_outcome::failed);
}

template <class F, class Done>
class work_change final : public sqlite_writer::work_job {
public:
  work_change(F f, Done done) : f_(std::move(f)), done_(std::move(done)) {}

  void apply(sqlite_work& to) override { result_ = f_(to); }

  void run() noexcept override {
    if (outcome == commit_outcome::done)
      done_(std::move(*result_));
    else
      tell_not_done(done_, outcome);
  }

private:
  F f_;
  Done done_;
  std::optional<std::invoke_result_t<F&, sqlite_work&>> result_;
};

} // namespace

template <class F, class Done>
void sqlite_work_queue::change(F f, Done done, haste how,
                               std::shared_ptr<home_thread> home) {
  sqlite_writer::job x = sqlite_writer::working{
    std::make_unique<work_change<F, Done>>(std::move(f), std::move(done)),
    std::move(home)};
  auto is_taken =
    how == haste::none ? writer_.push_patient(x) : writer_.push(x);
  if (!is_taken) // too much waits for the store
    std::get<sqlite_writer::working>(x).job->run();
}

template <class T, class Query>
void sqlite_work_queue::ask(callback<T> done, Query query) {
  reader_.ask(std::move(done), [query = std::move(query)](sqlite_queries& x) {
    return query(x.work());
  });
}

// -- for nodes ---------------------------------------------------------------

void sqlite_work_queue::accept(request_ptr request,
                               callback<work_accepted> done) {
  auto home = request->home;
  change([x = std::move(request)](sqlite_work& to) { return to.accept(*x); },
         std::move(done), haste::some, std::move(home));
}

void sqlite_work_queue::accept_all(std::vector<work_request> requests,
                                   callback<std::vector<work_accepted>> done) {
  change(
    [all = std::move(requests)](sqlite_work& to) {
      std::vector<work_accepted> result;
      for (auto& x : all)
        result.push_back(
          to.accept(x).value_or(work_accepted{x.item.id, false}));
      return result;
    },
    std::move(done));
}

void sqlite_work_queue::lanes(std::string after, size_t limit,
                              callback<std::vector<work_lane>> done) {
  ask(std::move(done),
      [after = std::move(after), limit](sqlite_work_queries& x) {
        return x.lanes(after, limit);
      });
}

void sqlite_work_queue::claim(std::string claimed_by,
                              std::vector<work_quota> quotas, work_time now,
                              callback<std::vector<claimed_work>> done) {
  change([claimed_by = std::move(claimed_by), quotas = std::move(quotas),
          now](sqlite_work& x) { return x.claim(claimed_by, quotas, now); },
         std::move(done));
}

void sqlite_work_queue::report(report_ptr what, work_time now,
                               std::function<void(work_outcome)> done) {
  auto home = what->home;
  change(
    [x = std::move(what), now](sqlite_work& to) { return to.report(*x, now); },
    std::move(done), haste::none, std::move(home));
}

void sqlite_work_queue::claimants(callback<std::vector<std::string>> done) {
  ask(std::move(done), [](sqlite_work_queries& x) { return x.claimants(); });
}

void sqlite_work_queue::give_back(std::string claimed_by, work_time now,
                                  size_t limit, callback<size_t> done) {
  change([claimed_by = std::move(claimed_by), now, limit](
           sqlite_work& x) { return x.give_back(claimed_by, now, limit); },
         std::move(done));
}

void sqlite_work_queue::claim_expired(
  std::string claimed_by, work_time now, size_t limit,
  callback<std::vector<claimed_work>> done) {
  change([claimed_by = std::move(claimed_by), now, limit](
           sqlite_work& x) { return x.claim_expired(claimed_by, now, limit); },
         std::move(done));
}

void sqlite_work_queue::forget(work_time finished, work_time died,
                               work_time now, size_t limit,
                               callback<size_t> done) {
  change([=](sqlite_work& x) { return x.forget(finished, died, now, limit); },
         std::move(done));
}

// -- for everybody -----------------------------------------------------------

void sqlite_work_queue::find(invocation_id id,
                             callback<std::optional<work_view>> done) {
  ask(std::move(done), [id](sqlite_work_queries& x) { return x.find(id); });
}

void sqlite_work_queue::item(invocation_id id,
                             callback<std::optional<work_item>> done) {
  ask(std::move(done), [id](sqlite_work_queries& x) { return x.item(id); });
}

void sqlite_work_queue::list(work_selection which,
                             callback<std::vector<work_view>> done) {
  ask(std::move(done), [which = std::move(which)](sqlite_work_queries& x) {
    return x.list(which);
  });
}

void sqlite_work_queue::count(callback<std::vector<work_count>> done) {
  ask(std::move(done), [](sqlite_work_queries& x) { return x.count(); });
}

void sqlite_work_queue::redrive(work_selection which, work_time now,
                                work_time expires, callback<size_t> done) {
  change([which = std::move(which), now,
          expires](sqlite_work& x) { return x.redrive(which, now, expires); },
         std::move(done));
}

void sqlite_work_queue::purge(work_selection which, callback<size_t> done) {
  change([which = std::move(which)](sqlite_work& x) { return x.purge(which); },
         std::move(done));
}

} // namespace troupe
