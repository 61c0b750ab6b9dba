// A store from the outside in one thread: each call waits for its answer. The
// answer comes in every case, so nothing here has a time-out; a store that
// loses one hangs the test until ctest ends it.

#pragma once

#include <future>
#include <memory>
#include <utility>

#include "actors/core/backends.hpp"

namespace troupe::testing {

inline std::future<commit_outcome> begin_commit(state_store& store,
                                                commit_request request) {
  auto answer = std::make_shared<std::promise<commit_outcome>>();
  store.commit(std::move(request),
               [answer](commit_outcome x) { answer->set_value(x); });
  return answer->get_future();
}

inline commit_outcome commit(state_store& store, commit_request request) {
  return begin_commit(store, std::move(request)).get();
}

/// The change of `entity` from `base` to `base + 1`.
inline commit_request change(entity_id entity, uint64_t base,
                             std::string state) {
  return {std::move(entity), base, {base + 1, std::move(state)}};
}

inline expected<std::optional<stored_state>> load(state_store& store,
                                                  entity_id entity) {
  using answer_type = expected<std::optional<stored_state>>;
  auto answer = std::make_shared<std::promise<answer_type>>();
  store.load(std::move(entity),
             [answer](answer_type x) { answer->set_value(std::move(x)); });
  return answer->get_future().get();
}

} // namespace troupe::testing
