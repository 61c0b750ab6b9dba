#include "nodes/store/sqlite_locks.hpp"

#include <algorithm>

#include <sqlite3.h>

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"

namespace troupe {

using std::chrono::milliseconds;

lock_record read_record(sqlite_query& row) {
  return {
    static_cast<uint64_t>(row.number(0)),
    row.bytes(1),
    milliseconds{row.number(2)},
    {row.bytes(3), milliseconds{row.number(4)}, milliseconds{row.number(5)}}};
}

sqlite_locks::sqlite_locks(SQLite::Database& db)
  : db_(db),
    find_(db_, std::string{"SELECT "} + columns + " FROM lock WHERE name = ?1"),
    save_(db_, "INSERT OR REPLACE INTO lock VALUES "
               "(?1, ?2, ?3, ?4, ?5, ?6, ?7)") {}

lock_record sqlite_locks::find(const std::string& name) {
  find_.bindNoCopy(1, name);
  sqlite_query row{find_};
  return row.next() ? read_record(row) : lock_record{};
}

void sqlite_locks::save(const std::string& name, const lock_record& x) {
  save_.bindNoCopy(1, name);
  bind_number(save_, 2, x.token);
  save_.bindNoCopy(3, x.holder);
  save_.bind(4, int64_t{x.ttl.count()});
  save_.bindNoCopy(5, x.end.boot);
  save_.bind(6, int64_t{x.end.since_boot.count()});
  save_.bind(7, int64_t{x.end.wall.count()});
  if (auto code = run(db_, save_); code != SQLITE_DONE)
    throw SQLite::Exception{db_.getHandle(), code};
}

template <class F>
lock_answer sqlite_locks::change(const std::string& name, const lock_time& now,
                                 F f) {
  const auto before = find(name);
  auto record = before;
  lock_answer result;
  result.done = f(record);
  result.now = {record.token, record.left(now)};
  if (record != before)
    save(name, record);
  return result;
}

lock_answer sqlite_locks::acquire(const lock_request& request,
                                  const lock_time& now) {
  return change(request.name, now, [&](lock_record& x) {
    return x.acquire(request.holder, request.ttl, now);
  });
}

lock_answer sqlite_locks::renew(const lock_proof& held,
                                std::optional<milliseconds> ttl,
                                const lock_time& now) {
  return change(held.name, now,
                [&](lock_record& x) { return x.renew(held.token, ttl, now); });
}

lock_answer sqlite_locks::release(const lock_proof& held,
                                  const lock_time& now) {
  return change(held.name, now,
                [&](lock_record& x) { return x.release(held.token); });
}

bool sqlite_locks::prove(const std::vector<lock_proof>& proofs) {
  return std::all_of(proofs.begin(), proofs.end(), [this](const lock_proof& x) {
    return find(x.name).proves(x.token);
  });
}

} // namespace troupe
