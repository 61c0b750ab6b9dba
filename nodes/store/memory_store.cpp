#include "nodes/store/memory_store.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "nodes/store/claim_error.hpp"

namespace troupe {

void memory_store::claim(entity_id entity, fencing_token token,
                         std::optional<shard_ownership> owned,
                         callback<claimed_state> done) {
  std::optional<claimed_state> result;
  auto take_it = [&] { result = take(std::move(entity), token); };
  if (!owned)
    take_it();
  else if (!shards_->if_owned(*owned, take_it))
    return done(not_the_owner(*owned));
  done(std::move(*result));
}

claimed_state memory_store::take(entity_id entity, fencing_token token) {
  std::lock_guard guard{mutex_};
  auto& x = entities_[std::move(entity)];
  return {x.state, std::exchange(x.token, token)};
}

void memory_store::commit(commit_request request, commit_callback done) {
  commit_outcome outcome;
  {
    std::lock_guard guard{mutex_};
    outcome = apply(std::move(request));
  }
  done(outcome);
}

commit_outcome memory_store::apply(commit_request request) {
  if (!fits(request))
    return commit_outcome::refused;
  auto locks = request.locks;
  return locks_->if_held(locks, [&] { write(std::move(request)); })
           ? commit_outcome::done
           : commit_outcome::lock_lost;
}

bool memory_store::fits(const commit_request& request) const {
  auto i = entities_.find(request.entity);
  if (i == entities_.end() || i->second.token != request.token
      || i->second.state.revision != request.base)
    return false;
  std::set<std::string_view> ids;
  return std::all_of(request.outcomes.begin(), request.outcomes.end(),
                     [&](const recorded_outcome& x) {
                       return !outcomes_.contains({request.entity, x.id})
                              && ids.insert(x.id).second;
                     });
}

void memory_store::write(commit_request request) {
  if (request.next.revision != request.base)
    entities_[request.entity].state = std::move(request.next);
  auto now = std::chrono::steady_clock::now();
  for (auto& x : request.outcomes) {
    outcome_id id{request.entity, x.id};
    outcomes_[id] = {std::move(x), now};
    by_age_.emplace(now, std::move(id));
  }
  work_.change_with(std::move(request.work), request.withdrawn);
  forget_old_outcomes();
}

void memory_store::forget_old_outcomes() {
  auto oldest = std::chrono::steady_clock::now() - outcome_retention;
  while (!by_age_.empty() && by_age_.begin()->first < oldest) {
    outcomes_.erase(by_age_.begin()->second);
    by_age_.erase(by_age_.begin());
  }
}

void memory_store::release(entity_id entity, fencing_token token) {
  std::lock_guard guard{mutex_};
  auto i = entities_.find(entity);
  if (i != entities_.end() && i->second.token == token
      && i->second.state.revision == 0)
    entities_.erase(i);
}

void memory_store::find_outcome(
  entity_id entity, std::string id,
  callback<std::optional<recorded_outcome>> done) {
  std::optional<recorded_outcome> result;
  {
    std::lock_guard guard{mutex_};
    auto i = outcomes_.find({std::move(entity), std::move(id)});
    if (i != outcomes_.end())
      result = i->second.outcome;
  }
  done(std::move(result));
}

void memory_store::load(entity_id entity, callback<stored_state> done) {
  stored_state result;
  {
    std::lock_guard guard{mutex_};
    if (auto i = entities_.find(entity); i != entities_.end())
      result = i->second.state;
  }
  result.reminders.clear();
  done(std::move(result));
}

void memory_store::list(list_request request,
                        callback<std::vector<listed_entity>> done) {
  std::vector<listed_entity> result;
  {
    std::lock_guard guard{mutex_};
    auto begins_with = [&](const entity_id& x) {
      return x.service == request.service && x.key.starts_with(request.prefix);
    };
    auto i = request.after < request.prefix
               ? entities_.lower_bound({request.service, request.prefix})
               : entities_.upper_bound({request.service, request.after});
    for (; i != entities_.end() && begins_with(i->first)
           && result.size() < request.limit;
         ++i) {
      auto& state = i->second.state;
      if (!state.exists())
        continue;
      result.push_back({i->first.key, state});
      result.back().state.reminders.clear();
      if (!request.with_states)
        result.back().state.state.clear();
    }
  }
  done(std::move(result));
}

} // namespace troupe
