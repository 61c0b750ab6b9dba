#include "nodes/store/memory_locks.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

template <class F>
lock_answer memory_lock_table::change(const std::string& name, F f) {
  std::lock_guard guard{mutex_};
  auto now = now_();
  auto i = records_.find(name);
  auto record = i != records_.end() ? i->second : lock_record{};
  lock_answer result;
  result.done = f(record, now);
  result.now = {record.token, record.left(now)};
  if (i != records_.end())
    i->second = std::move(record);
  else if (record.token > 0)
    records_.emplace(name, std::move(record));
  return result;
}

void memory_lock_table::acquire(lock_request request,
                                callback<lock_answer> done) {
  done(change(request.name, [&](lock_record& x, const lock_time& now) {
    return x.acquire(request.holder, request.ttl, now);
  }));
}

void memory_lock_table::renew(lock_proof held,
                              std::optional<std::chrono::milliseconds> ttl,
                              callback<lock_answer> done) {
  done(change(held.name, [&](lock_record& x, const lock_time& now) {
    return x.renew(held.token, ttl, now);
  }));
}

void memory_lock_table::release(lock_proof held, callback<lock_answer> done) {
  done(change(held.name, [&](lock_record& x, const lock_time&) {
    return x.release(held.token);
  }));
}

void memory_lock_table::find(std::string name, callback<lock_row> done) {
  done(change(name, [](lock_record&, const lock_time&) { return true; }).now);
}

bool memory_lock_table::if_held(const std::vector<lock_proof>& proofs,
                                const std::function<void()>& f) {
  std::lock_guard guard{mutex_};
  auto is_held = [this](const lock_proof& x) {
    auto i = records_.find(x.name);
    return i != records_.end() && i->second.proves(x.token);
  };
  if (!std::all_of(proofs.begin(), proofs.end(), is_held))
    return false;
  f();
  return true;
}

} // namespace troupe
