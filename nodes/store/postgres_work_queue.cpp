#include "nodes/store/postgres_work_queue.hpp"

#include <utility>

#include "nodes/store/postgres_work_moves.hpp"
#include "nodes/store/postgres_work_queries.hpp"
#include "nodes/store/postgres_work_rows.hpp"

namespace troupe {

namespace {

/// A quarter of what PostgreSQL can hold in a value: arrays have several.
constexpr size_t length_max = 250'000'000;

constexpr const char* too_many = "too much work waits for it";

size_t length_of(const work_request& x) {
  return x.item.arguments.bytes.size() + x.item.notes.size();
}

size_t length_of(const work_report& x) {
  auto result = x.answer.bytes.size();
  for (auto& next : x.follow)
    result += length_of(next);
  return result;
}

/// What `decode` makes of rows.
template <class T, class Decode, class Rows>
expected<T> decoded(Decode& decode, const Rows& rows) {
  try {
    return decode(rows);
  } catch (const damaged_row& e) {
    return postgres_unavailable(e.what());
  }
}

} // namespace

template <class T, class Decode>
void postgres_work_queue::ask(postgres_call query, callback<T> done,
                              Decode decode) {
  reader_.ask({{{std::move(query)}},
               true,
               [done = std::move(done),
                decode](expected<std::vector<postgres_rows>> found) {
                 if (found)
                   done(decoded<T>(decode, found->front()));
                 else
                   done(found.error());
               }});
}

void postgres_work_queue::push(postgres_work_writer::moving x) {
  postgres_work_writer::job job = std::move(x);
  if (!writer_.push(job))
    std::get<postgres_work_writer::moving>(job).done(
      postgres_unavailable(too_many));
}

void postgres_work_queue::change(std::vector<postgres_call> calls,
                                 callback<size_t> done) {
  if (calls.empty())
    return done(size_t{0});
  push({std::move(calls),
        [done = std::move(done)](expected<std::vector<postgres_rows>> found) {
          if (found)
            done(static_cast<size_t>(found->back().count(0, 0)));
          else
            done(found.error());
        }});
}

// -- for nodes ---------------------------------------------------------------

void postgres_work_queue::accept(request_ptr request,
                                 callback<work_accepted> done) {
  if (length_of(*request) > length_max)
    return done(postgres_unavailable("the work is too long for it"));
  postgres_work_writer::job x =
    postgres_work_writer::accepting{std::move(request), std::move(done)};
  if (!writer_.push(x))
    std::get<postgres_work_writer::accepting>(x).done(
      postgres_unavailable(too_many));
}

void postgres_work_queue::accept_all(
  std::vector<work_request> requests,
  callback<std::vector<work_accepted>> done) {
  size_t length = 0;
  for (auto& x : requests)
    length += length_of(x);
  if (length > length_max)
    return done(postgres_unavailable("the work is too long for it"));
  postgres_work_writer::job x =
    postgres_work_writer::accepting_all{std::move(requests), std::move(done)};
  if (!writer_.push(x))
    std::get<postgres_work_writer::accepting_all>(x).done(
      postgres_unavailable(too_many));
}

void postgres_work_queue::lanes(std::string after, size_t limit,
                                callback<std::vector<work_lane>> done) {
  ask(postgres_work_queries::lanes(after, limit), std::move(done),
      postgres_work_queries::read_lanes);
}

void postgres_work_queue::take(std::vector<postgres_call> calls,
                               callback<std::vector<claimed_work>> done) {
  push({std::move(calls),
        [done = std::move(done)](expected<std::vector<postgres_rows>> found) {
          if (found)
            done(decoded<std::vector<claimed_work>>(
              postgres_work_moves::read_claims, *found));
          else
            done(found.error());
        },
        false});
}

void postgres_work_queue::claim(std::string claimed_by,
                                std::vector<work_quota> quotas, work_time now,
                                callback<std::vector<claimed_work>> done) {
  if (quotas.empty())
    return done(std::vector<claimed_work>{});
  take(postgres_work_moves::claim(claimed_by, quotas, now), std::move(done));
}

void postgres_work_queue::report(report_ptr what, work_time now,
                                 std::function<void(work_outcome)> done) {
  if (what->claimed_by.empty()) // of no claim
    return done(work_outcome::refused);
  auto is_too_long = length_of(*what) > length_max;
  postgres_work_writer::job x =
    postgres_work_writer::reporting{std::move(what), now, std::move(done)};
  if (is_too_long || !writer_.push(x))
    std::get<postgres_work_writer::reporting>(x).done(work_outcome::failed);
}

void postgres_work_queue::claimants(callback<std::vector<std::string>> done) {
  ask(postgres_work_queries::claimants(), std::move(done),
      postgres_work_queries::read_claimants);
}

void postgres_work_queue::give_back(std::string claimed_by, work_time now,
                                    size_t limit, callback<size_t> done) {
  change({postgres_work_moves::give_back(claimed_by, now, limit)},
         std::move(done));
}

void postgres_work_queue::claim_expired(
  std::string claimed_by, work_time now, size_t limit,
  callback<std::vector<claimed_work>> done) {
  take({postgres_work_moves::claim_expired(claimed_by, now, limit)},
       std::move(done));
}

void postgres_work_queue::forget(work_time finished, work_time died,
                                 work_time now, size_t limit,
                                 callback<size_t> done) {
  change({postgres_work_moves::forget(finished, died, now, limit)},
         std::move(done));
}

// -- for everybody -----------------------------------------------------------

void postgres_work_queue::find(invocation_id id,
                               callback<std::optional<work_view>> done) {
  ask(postgres_work_queries::find(id), std::move(done),
      postgres_work_queries::read_one);
}

void postgres_work_queue::item(invocation_id id,
                               callback<std::optional<work_item>> done) {
  ask(postgres_work_queries::item(id), std::move(done),
      postgres_work_queries::read_item);
}

void postgres_work_queue::list(work_selection which,
                               callback<std::vector<work_view>> done) {
  if (auto query = postgres_work_queries::list(which))
    ask(std::move(*query), std::move(done), postgres_work_queries::read_list);
  else
    done(std::vector<work_view>{});
}

void postgres_work_queue::count(callback<std::vector<work_count>> done) {
  ask(postgres_work_queries::count(), std::move(done),
      postgres_work_queries::read_counts);
}

void postgres_work_queue::redrive(work_selection which, work_time now,
                                  work_time expires, callback<size_t> done) {
  change(postgres_work_moves::redrive(which, now, expires), std::move(done));
}

void postgres_work_queue::purge(work_selection which, callback<size_t> done) {
  change(postgres_work_moves::purge(which), std::move(done));
}

} // namespace troupe
