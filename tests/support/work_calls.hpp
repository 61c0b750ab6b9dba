// A queue of work from the outside in one thread: each call waits for its answer.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "actors/core/work_queue.hpp"
#include "tests/support/store_calls.hpp"

namespace troupe::testing {

/// The n-th millisecond of the time of tests.
inline work_time at(int64_t n) {
  return work_time{std::chrono::milliseconds{1'700'000'000'000 + n}};
}

/// The n-th id: they rise.
inline invocation_id work_id(uint64_t n) {
  return {0x0190'0000'0000'7000, n};
}

/// Work of the function `add` that is due at once.
inline work_item work(uint64_t n, work_target target = {"add"}) {
  work_item result{work_id(n), std::move(target), {"[1]", ""}};
  result.accepted = result.due = at(0);
  result.expires = at(1'000'000);
  result.attempts_max = 3;
  return result;
}

// -- calls -------------------------------------------------------------------

inline std::future<expected<work_accepted>> begin_accept(work_queue& queue,
                                                         work_request request) {
  return begin<expected<work_accepted>>(
    [&](auto done) { queue.accept(std::move(request), std::move(done)); });
}

inline expected<work_accepted> accept(work_queue& queue, work_request request) {
  return begin_accept(queue, std::move(request)).get();
}

inline expected<std::vector<work_accepted>>
accept_all(work_queue& queue, std::vector<work_request> requests) {
  return begin<expected<std::vector<work_accepted>>>([&](auto done) {
           queue.accept_all(std::move(requests), std::move(done));
         })
    .get();
}

inline std::future<expected<std::vector<claimed_work>>>
begin_claim(work_queue& queue, std::string claimed_by,
            std::vector<work_quota> quotas, work_time now) {
  return begin<expected<std::vector<claimed_work>>>([&](auto done) {
    queue.claim(std::move(claimed_by), std::move(quotas), now, std::move(done));
  });
}

inline std::future<work_outcome> begin_report(work_queue& queue,
                                              work_report what, work_time now) {
  return begin<work_outcome>(
    [&](auto done) { queue.report(std::move(what), now, std::move(done)); });
}

inline work_outcome report(work_queue& queue, work_report what, work_time now) {
  return begin_report(queue, std::move(what), now).get();
}

inline expected<std::vector<work_lane>>
lanes(work_queue& queue, std::string after = "", size_t limit = 100) {
  return begin<expected<std::vector<work_lane>>>([&](auto done) {
           queue.lanes(std::move(after), limit, std::move(done));
         })
    .get();
}

inline expected<std::vector<std::string>> claimants(work_queue& queue) {
  return begin<expected<std::vector<std::string>>>(
           [&](auto done) { queue.claimants(std::move(done)); })
    .get();
}

inline expected<size_t> give_back(work_queue& queue, std::string claimed_by,
                                  work_time now, size_t limit) {
  return begin<expected<size_t>>([&](auto done) {
           queue.give_back(std::move(claimed_by), now, limit, std::move(done));
         })
    .get();
}

inline expected<std::vector<claimed_work>> claim_expired(work_queue& queue,
                                                         std::string claimed_by,
                                                         work_time now,
                                                         size_t limit) {
  return begin<expected<std::vector<claimed_work>>>([&](auto done) {
           queue.claim_expired(std::move(claimed_by), now, limit,
                               std::move(done));
         })
    .get();
}

inline expected<size_t> forget(work_queue& queue, work_time finished,
                               work_time died, work_time now, size_t limit) {
  return begin<expected<size_t>>([&](auto done) {
           queue.forget(finished, died, now, limit, std::move(done));
         })
    .get();
}

inline expected<std::optional<work_view>> find_work(work_queue& queue,
                                                    invocation_id id) {
  return begin<expected<std::optional<work_view>>>(
           [&](auto done) { queue.find(id, std::move(done)); })
    .get();
}

inline expected<std::optional<work_item>> find_item(work_queue& queue,
                                                    invocation_id id) {
  return begin<expected<std::optional<work_item>>>(
           [&](auto done) { queue.item(id, std::move(done)); })
    .get();
}

inline expected<std::vector<work_view>> list_work(work_queue& queue,
                                                  work_selection which) {
  return begin<expected<std::vector<work_view>>>(
           [&](auto done) { queue.list(std::move(which), std::move(done)); })
    .get();
}

inline expected<std::vector<work_count>> count_work(work_queue& queue) {
  return begin<expected<std::vector<work_count>>>(
           [&](auto done) { queue.count(std::move(done)); })
    .get();
}

inline expected<size_t> redrive(work_queue& queue, work_selection which,
                                work_time now, work_time expires) {
  return begin<expected<size_t>>([&](auto done) {
           queue.redrive(std::move(which), now, expires, std::move(done));
         })
    .get();
}

inline expected<size_t> purge(work_queue& queue, work_selection which) {
  return begin<expected<size_t>>(
           [&](auto done) { queue.purge(std::move(which), std::move(done)); })
    .get();
}

} // namespace troupe::testing
