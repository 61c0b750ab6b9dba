#include "nodes/store/memory_work.hpp"

#include <algorithm>

#include "nodes/store/work_rules.hpp"

namespace troupe {

// -- the orders --------------------------------------------------------------

void memory_work_queue::enter(const row& x) {
  auto& id = x.item.id;
  switch (x.state) {
  case work_state::waiting:
    waiting_[x.item.target.lane()][x.item.priority].emplace(x.item.due, id);
    expiring_.emplace(x.item.expires, id);
    break;
  case work_state::claimed:
    claims_[x.claimed_by].insert(id);
    break;
  case work_state::succeeded:
  case work_state::failed:
    finished_.emplace(x.finished, id);
    break;
  case work_state::dead:
    dead_.emplace(x.finished, id);
    break;
  }
}

void memory_work_queue::leave(const row& x) {
  auto& id = x.item.id;
  switch (x.state) {
  case work_state::waiting: {
    auto lane = waiting_.find(x.item.target.lane());
    auto level = lane->second.find(x.item.priority);
    level->second.erase({x.item.due, id});
    if (level->second.empty())
      lane->second.erase(level);
    if (lane->second.empty())
      waiting_.erase(lane);
    expiring_.erase({x.item.expires, id});
    break;
  }
  case work_state::claimed: {
    auto claims = claims_.find(x.claimed_by);
    claims->second.erase(id);
    if (claims->second.empty())
      claims_.erase(claims);
    break;
  }
  case work_state::succeeded:
  case work_state::failed:
    finished_.erase({x.finished, id});
    break;
  case work_state::dead:
    dead_.erase({x.finished, id});
    break;
  }
}

template <class F>
void memory_work_queue::change(rows_of_work::iterator at, F f) {
  leave(at->second);
  f(at->second);
  enter(at->second);
}

template <class Ids, class F>
size_t memory_work_queue::change_first(const Ids& ids, size_t limit, F f) {
  // A copy: the order that they come from is about to change.
  std::vector<invocation_id> first;
  for (auto i = ids.begin(); i != ids.end() && first.size() < limit; ++i)
    first.push_back(*i);
  for (auto& id : first)
    change(rows_.find(id), f);
  return first.size();
}

void memory_work_queue::remove(rows_of_work::iterator at) {
  leave(at->second);
  rows_.erase(at);
}

// -- for nodes ---------------------------------------------------------------

void memory_work_queue::accept(request_ptr request,
                               callback<work_accepted> done) {
  auto answer = [&] {
    std::lock_guard guard{mutex_};
    return add(*request);
  }();
  done(std::move(answer));
}

void memory_work_queue::accept_all(std::vector<work_request> requests,
                                   callback<std::vector<work_accepted>> done) {
  std::vector<work_accepted> result;
  {
    std::lock_guard guard{mutex_};
    for (auto& x : requests) {
      work_accepted passed_over{x.item.id, false};
      result.push_back(add(std::move(x)).value_or(passed_over));
    }
  }
  done(std::move(result));
}

expected<work_accepted> memory_work_queue::add(work_request request) {
  auto id = request.item.id;
  if (rows_.contains(id))
    return work_accepted{id, false};
  if (auto& key = request.idempotency_key; !key.empty()) {
    key_name name{key_scope(request.item.target), key};
    if (auto i = keys_.find(name); i != keys_.end()) {
      if (i->second.fingerprint != request.fingerprint)
        return key_of_other_work();
      return work_accepted{i->second.id, false};
    }
    auto accepted = request.item.accepted;
    keys_[name] = {id, std::move(request.fingerprint), accepted};
    keys_by_age_.emplace(accepted, std::move(name));
  }
  row x{std::move(request.item), std::move(request.idempotency_key)};
  if (!request.claimed_by.empty()) {
    x.state = work_state::claimed;
    x.attempts = 1;
    x.claimed_by = std::move(request.claimed_by);
  }
  enter(x);
  rows_.emplace(id, std::move(x));
  return work_accepted{id, true};
}

void memory_work_queue::lanes(std::string after, size_t limit,
                              callback<std::vector<work_lane>> done) {
  std::vector<work_lane> result;
  {
    std::lock_guard guard{mutex_};
    for (auto i = waiting_.upper_bound(after);
         i != waiting_.end() && result.size() < limit; ++i) {
      auto due = work_time::max();
      for (auto& [priority, level] : i->second)
        due = std::min(due, level.begin()->first);
      result.push_back({i->first, due});
    }
  }
  done(std::move(result));
}

void memory_work_queue::claim(std::string claimed_by,
                              std::vector<work_quota> quotas, work_time now,
                              callback<std::vector<claimed_work>> done) {
  std::vector<claimed_work> result;
  {
    std::lock_guard guard{mutex_};
    for (auto& x : quotas)
      take(claimed_by, x, now, result);
  }
  done(std::move(result));
}

void memory_work_queue::take(const std::string& claimed_by,
                             const work_quota& quota, work_time now,
                             std::vector<claimed_work>& to) {
  auto lane = waiting_.find(quota.lane);
  if (lane == waiting_.end())
    return;
  std::vector<invocation_id> taken;
  for (auto& [priority, level] : lane->second)
    for (auto i = level.begin();
         i != level.end() && i->first <= now && taken.size() < quota.most; ++i)
      if (rows_.find(i->second)->second.item.expires >= now)
        taken.push_back(i->second);
  change_first(taken, taken.size(), [&](row& x) {
    x.state = work_state::claimed;
    x.claimed_by = claimed_by;
    ++x.attempts;
    to.push_back({x.item, x.attempts});
  });
}

void memory_work_queue::report(report_ptr what, work_time now,
                               std::function<void(work_outcome)> done) {
  auto outcome = [&] {
    std::lock_guard guard{mutex_};
    return apply(*what, now);
  }();
  done(outcome);
}

work_outcome memory_work_queue::apply(work_report what, work_time now) {
  auto i = rows_.find(what.id);
  if (i == rows_.end() || i->second.claimed_by != what.claimed_by)
    return work_outcome::refused;
  auto next = state_after(what);
  auto attempts = attempts_after(what);
  auto keeps = keeps_answer(what);
  if (i->second.state != work_state::claimed) {
    auto stands = i->second.state == next && i->second.attempts == attempts
                  && (what.end || i->second.item.due == what.due);
    return stands ? work_outcome::done : work_outcome::refused;
  }
  if (i->second.attempts != what.attempt)
    return work_outcome::refused;
  change(i, [&](row& x) {
    x.state = next;
    x.attempts = attempts;
    if (what.end)
      x.finished = now;
    else
      x.item.due = what.due;
    if (!keeps)
      x.answer = std::move(what.answer);
    if (what.end && *what.end != work_end::dead)
      x.item.arguments = {};
  });
  for (auto& x : what.follow)
    (void)add(std::move(x)); // passes over those with other work's keys
  return work_outcome::done;
}

void memory_work_queue::claimants(callback<std::vector<std::string>> done) {
  std::vector<std::string> result;
  {
    std::lock_guard guard{mutex_};
    for (auto& [incarnation, ids] : claims_)
      result.push_back(incarnation);
  }
  done(std::move(result));
}

void memory_work_queue::give_back(std::string claimed_by, work_time now,
                                  size_t limit, callback<size_t> done) {
  size_t count = 0;
  {
    std::lock_guard guard{mutex_};
    auto i = claims_.find(claimed_by);
    if (i != claims_.end())
      count = change_first(i->second, limit, [&](row& x) {
        x.state = work_state::waiting;
        x.item.due = now;
        if (x.attempts >= x.item.attempts_max)
          x.item.expires = no_time_left;
      });
  }
  done(count);
}

void memory_work_queue::claim_expired(
  std::string claimed_by, work_time now, size_t limit,
  callback<std::vector<claimed_work>> done) {
  std::vector<claimed_work> result;
  {
    std::lock_guard guard{mutex_};
    std::vector<invocation_id> expired;
    for (auto& [expires, id] : expiring_) {
      if (expires >= now || expired.size() == limit)
        break;
      expired.push_back(id);
    }
    change_first(expired, limit, [&](row& x) {
      x.state = work_state::claimed;
      x.claimed_by = claimed_by;
      result.push_back({x.item, x.attempts});
    });
  }
  done(std::move(result));
}

void memory_work_queue::forget(work_time finished, work_time died,
                               work_time now, size_t limit,
                               callback<size_t> done) {
  size_t count = 0;
  {
    std::lock_guard guard{mutex_};
    count += remove_before(finished_, finished, limit);
    count += remove_before(dead_, died, limit);
    count += remove_keys_before(now - key_retention, limit);
  }
  done(count);
}

size_t memory_work_queue::remove_before(std::set<moment>& order, work_time end,
                                        size_t limit) {
  size_t count = 0;
  for (; count < limit && !order.empty() && order.begin()->first < end; ++count)
    remove(rows_.find(order.begin()->second));
  return count;
}

size_t memory_work_queue::remove_keys_before(work_time end, size_t limit) {
  size_t count = 0;
  for (auto i = keys_by_age_.begin();
       count < limit && i != keys_by_age_.end() && i->first < end; ++count) {
    keys_.erase(i->second);
    i = keys_by_age_.erase(i);
  }
  return count;
}

// -- for everybody -----------------------------------------------------------

work_view memory_work_queue::view(const row& x) {
  work_view result{x.item.id,       x.item.target, x.state,
                   x.item.priority, x.attempts,    x.item.accepted};
  result.answer = x.answer;
  if (x.state == work_state::waiting)
    result.due = x.item.due;
  else if (x.state == work_state::claimed)
    result.claimed_by = x.claimed_by;
  else
    result.finished = x.finished;
  return result;
}

void memory_work_queue::find(invocation_id id,
                             callback<std::optional<work_view>> done) {
  std::optional<work_view> result;
  {
    std::lock_guard guard{mutex_};
    if (auto i = rows_.find(id); i != rows_.end())
      result = view(i->second);
  }
  done(std::move(result));
}

void memory_work_queue::item(invocation_id id,
                             callback<std::optional<work_item>> done) {
  std::optional<work_item> result;
  {
    std::lock_guard guard{mutex_};
    auto i = rows_.find(id);
    if (i != rows_.end() && i->second.state != work_state::succeeded
        && i->second.state != work_state::failed)
      result = i->second.item;
  }
  done(std::move(result));
}

std::vector<invocation_id>
memory_work_queue::select(const work_selection& which) const {
  std::vector<invocation_id> result;
  auto i = which.after ? rows_.upper_bound(*which.after) : rows_.begin();
  for (; i != rows_.end() && result.size() < which.limit; ++i) {
    auto& x = i->second;
    if (x.state == which.state && (!which.id || *which.id == x.item.id)
        && (which.lane.empty() || which.lane == x.item.target.lane()))
      result.push_back(x.item.id);
  }
  return result;
}

void memory_work_queue::list(work_selection which,
                             callback<std::vector<work_view>> done) {
  std::vector<work_view> result;
  {
    std::lock_guard guard{mutex_};
    for (auto& id : select(which))
      result.push_back(view(rows_.find(id)->second));
  }
  done(std::move(result));
}

void memory_work_queue::count(callback<std::vector<work_count>> done) {
  std::map<std::string, work_count> lanes;
  {
    std::lock_guard guard{mutex_};
    for (auto& [id, x] : rows_) {
      if (x.state == work_state::succeeded || x.state == work_state::failed)
        continue;
      auto& lane = lanes[x.item.target.lane()];
      lane.claimed += x.state == work_state::claimed ? 1 : 0;
      lane.dead += x.state == work_state::dead ? 1 : 0;
      if (x.state != work_state::waiting)
        continue;
      ++lane.waiting;
      lane.oldest =
        std::min(lane.oldest.value_or(x.item.accepted), x.item.accepted);
    }
  }
  std::vector<work_count> result;
  for (auto& [name, lane] : lanes) {
    lane.lane = name;
    result.push_back(std::move(lane));
  }
  done(std::move(result));
}

void memory_work_queue::redrive(work_selection which, work_time now,
                                work_time expires, callback<size_t> done) {
  size_t count = 0;
  {
    std::lock_guard guard{mutex_};
    count = change_first(select(which), which.limit, [&](row& x) {
      x.state = work_state::waiting;
      x.attempts = 0;
      x.claimed_by.clear();
      x.item.due = now;
      x.item.expires = expires;
    });
  }
  done(count);
}

void memory_work_queue::purge(work_selection which, callback<size_t> done) {
  size_t count = 0;
  {
    std::lock_guard guard{mutex_};
    for (auto& id : select(which)) {
      purge(rows_.find(id));
      ++count;
    }
  }
  done(count);
}

void memory_work_queue::purge(rows_of_work::iterator at) {
  if (auto& key = at->second.key; !key.empty()) {
    key_name name{key_scope(at->second.item.target), key};
    auto known = keys_.find(name);
    // It may have been forgotten, and used again.
    if (known != keys_.end() && known->second.id == at->first) {
      keys_by_age_.erase({known->second.accepted, name});
      keys_.erase(known);
    }
  }
  remove(at);
}

// -- for the store -----------------------------------------------------------

void memory_work_queue::change_with(
  std::vector<work_request> work, const std::vector<invocation_id>& withdrawn) {
  std::lock_guard guard{mutex_};
  for (auto& x : work)
    (void)add(std::move(x)); // passes over those with other work's keys
  for (auto& id : withdrawn) {
    auto i = rows_.find(id);
    if (i != rows_.end() && i->second.state == work_state::waiting)
      purge(i);
  }
}

} // namespace troupe
