// A store from the outside in one thread: each call waits for its answer. The
// answer comes in every case, so nothing here has a time-out; a store that
// loses one hangs the test until ctest ends it.

#pragma once

#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/core/backends.hpp"

namespace troupe::testing {

/// Calls `start` with a callback; what the callback will get.
template <class T, class Start>
std::future<T> begin(Start start) {
  auto answer = std::make_shared<std::promise<T>>();
  auto result = answer->get_future();
  start([answer](T x) { answer->set_value(std::move(x)); });
  return result;
}

// -- the owner's calls -------------------------------------------------------

inline std::future<expected<claimed_state>>
begin_claim(state_store& store, entity_id entity, fencing_token token) {
  return begin<expected<claimed_state>>(
    [&](auto done) { store.claim(std::move(entity), token, std::move(done)); });
}

inline expected<claimed_state> claim(state_store& store, entity_id entity,
                                     fencing_token token) {
  return begin_claim(store, std::move(entity), token).get();
}

inline std::future<commit_outcome> begin_commit(state_store& store,
                                                commit_request request) {
  return begin<commit_outcome>(
    [&](auto done) { store.commit(std::move(request), std::move(done)); });
}

inline commit_outcome commit(state_store& store, commit_request request) {
  return begin_commit(store, std::move(request)).get();
}

/// The token of a test with one owner only.
inline constexpr fencing_token our_token{1, 2};

/// The change of `entity` from `base` to `base + 1`.
inline commit_request change(entity_id entity, uint64_t base, std::string state,
                             fencing_token token = our_token) {
  return {std::move(entity), token, base, {base + 1, std::move(state)}, {}, {}};
}

/// Claims `entity` and gives it a state; its revision rises by one.
inline commit_outcome put(state_store& store, const entity_id& entity,
                          std::string state) {
  auto claimed = claim(store, entity, our_token);
  if (!claimed)
    return commit_outcome::failed;
  return commit(store,
                change(entity, claimed->found.revision, std::move(state)));
}

// -- everybody's -------------------------------------------------------------

inline expected<stored_state> load(state_store& store, entity_id entity) {
  return begin<expected<stored_state>>(
           [&](auto done) { store.load(std::move(entity), std::move(done)); })
    .get();
}

inline expected<std::optional<recorded_outcome>>
find_outcome(state_store& store, entity_id entity, std::string id) {
  return begin<expected<std::optional<recorded_outcome>>>([&](auto done) {
           store.find_outcome(std::move(entity), std::move(id),
                              std::move(done));
         })
    .get();
}

inline expected<std::vector<listed_entity>> list(state_store& store,
                                                 list_request request) {
  return begin<expected<std::vector<listed_entity>>>(
           [&](auto done) { store.list(std::move(request), std::move(done)); })
    .get();
}

// -- work that came with commits ---------------------------------------------

/// A piece of work that waits in the queue and says `text`.
inline work_request note(invocation_id id, std::string of, std::string text) {
  work_request result;
  result.item.id = id;
  result.item.target = {"note", {}, std::move(of), std::move(text)};
  result.item.expires = work_time::max();
  return result;
}

/// Those that wait, by id, from `after` on.
inline std::vector<work_target> notes(state_store& store,
                                      std::optional<invocation_id> after = {}) {
  std::vector<work_target> result;
  work_selection which;
  which.state = work_state::waiting;
  which.lane = "note/";
  which.after = after;
  which.limit = 1000;
  for (;;) {
    auto page = begin<expected<std::vector<work_view>>>([&](auto done) {
                  store.work()->list(which, std::move(done));
                })
                  .get()
                  .value();
    for (auto& x : page)
      result.push_back(x.target);
    if (page.size() < which.limit)
      return result;
    which.after = page.back().id;
  }
}

} // namespace troupe::testing
