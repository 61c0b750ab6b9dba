#include "nodes/store/sqlite_entities.hpp"

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_locks.hpp"
#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_work.hpp"

namespace troupe {

namespace {

/// Outcomes that one transaction removes at most.
constexpr size_t removed_per_step = 64;

/// How often to look for some.
constexpr int64_t removal_interval_ms = 60'000;

constexpr int64_t retention_ms =
  std::chrono::milliseconds{state_store::outcome_retention}.count();

bool has_an_id_twice(const std::vector<recorded_outcome>& xs) {
  for (size_t i = 1; i < xs.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (xs[i].id == xs[j].id)
        return true;
  return false;
}

} // namespace

sqlite_entities::sqlite_entities(
  SQLite::Database& db,
  std::function<std::chrono::system_clock::time_point()> now)
  : db_(db), now_(std::move(now)),
    find_(db_, "SELECT revision, schema, token, state, reminders FROM entity "
               "WHERE service = ?1 AND key = ?2"),
    insert_(db_, "INSERT INTO entity (service, key, revision, schema, token) "
                 "VALUES (?1, ?2, 0, 1, ?3)"),
    set_token_(db_, "UPDATE entity SET token = ?3 "
                    "WHERE service = ?1 AND key = ?2"),
    update_(db_, "UPDATE entity SET revision = ?3, schema = ?4, state = ?5, "
                 "reminders = ?8 WHERE service = ?1 AND key = ?2 "
                 "AND token = ?6 AND revision = ?7"),
    at_base_(db_, "SELECT 1 FROM entity WHERE service = ?1 AND key = ?2 "
                  "AND token = ?3 AND revision = ?4"),
    remove_uncommitted_(db_, "DELETE FROM entity WHERE service = ?1 "
                             "AND key = ?2 AND token = ?3 AND revision = 0"),
    find_outcome_(db_, "SELECT 1 FROM outcome "
                       "WHERE service = ?1 AND key = ?2 AND id = ?3"),
    add_outcome_(db_, "INSERT INTO outcome (service, key, id, recorded_at, "
                      "fingerprint, revision, failed, content_type, body) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
    oldest_outcomes_(db_, "SELECT number, recorded_at FROM outcome "
                          "ORDER BY number LIMIT ?1"),
    remove_outcomes_(db_, "DELETE FROM outcome WHERE number <= ?1") {}

void sqlite_entities::forget_uncommitted() {
  db_.exec("DELETE FROM entity INDEXED BY uncommitted WHERE revision = 0");
}

// -- claims ------------------------------------------------------------------

claimed_state sqlite_entities::claim(const entity_id& entity,
                                     fencing_token token) {
  auto is_known = false;
  auto result = find(entity, is_known);
  auto& statement = is_known ? set_token_ : insert_;
  auto bytes = to_bytes(token);
  bind_entity(statement, entity);
  bind_bytes(statement, 3, bytes);
  change(db_, statement);
  return result;
}

claimed_state sqlite_entities::find(const entity_id& entity, bool& is_known) {
  bind_entity(find_, entity);
  sqlite_query found{find_};
  is_known = found.next();
  if (!is_known)
    return {};
  return {{static_cast<uint64_t>(found.number(0)), found.bytes(3),
           static_cast<uint32_t>(found.number(1)), found.bytes(4)},
          read_token(found.column(2))};
}

void sqlite_entities::release(const entity_id& entity, fencing_token token) {
  auto bytes = to_bytes(token);
  bind_entity(remove_uncommitted_, entity);
  bind_bytes(remove_uncommitted_, 3, bytes);
  change(db_, remove_uncommitted_);
}

// -- commits -----------------------------------------------------------------

commit_outcome sqlite_entities::commit(const commit_request& request,
                                       sqlite_locks& locks, sqlite_work& work) {
  // What can refuse comes before what is written.
  if (has_recorded(request))
    return commit_outcome::refused;
  if (!request.locks.empty()) {
    if (!is_at_base(request))
      return commit_outcome::refused;
    if (!locks.prove(request.locks))
      return commit_outcome::lock_lost;
  }
  if (!change_entity(request))
    return commit_outcome::refused;
  add_outcomes(request);
  for (auto& x : request.work)
    (void)work.accept(x); // passes over those with other work's keys
  for (auto& id : request.withdrawn)
    work.withdraw(id);
  return commit_outcome::done;
}

bool sqlite_entities::has_recorded(const commit_request& x) {
  if (has_an_id_twice(x.outcomes))
    return true;
  for (auto& outcome : x.outcomes) {
    bind_entity(find_outcome_, x.entity);
    find_outcome_.bindNoCopy(3, outcome.id);
    if (sqlite_query{find_outcome_}.next())
      return true;
  }
  return false;
}

bool sqlite_entities::is_at_base(const commit_request& x) {
  auto token = to_bytes(x.token);
  bind_entity(at_base_, x.entity);
  bind_bytes(at_base_, 3, token);
  bind_number(at_base_, 4, x.base);
  return sqlite_query{at_base_}.next();
}

bool sqlite_entities::change_entity(const commit_request& x) {
  if (x.next.revision == x.base)
    return is_at_base(x);
  auto token = to_bytes(x.token);
  bind_entity(update_, x.entity);
  bind_number(update_, 3, x.next.revision);
  bind_number(update_, 4, x.next.schema);
  if (x.next.exists())
    update_.bindNoCopy(5, x.next.state);
  else
    update_.bind(5);
  bind_bytes(update_, 6, token);
  bind_number(update_, 7, x.base);
  if (x.next.reminders.empty())
    update_.bind(8);
  else
    update_.bindNoCopy(8, x.next.reminders);
  return change(db_, update_);
}

void sqlite_entities::add_outcomes(const commit_request& x) {
  for (auto& outcome : x.outcomes) {
    bind_entity(add_outcome_, x.entity);
    add_outcome_.bindNoCopy(3, outcome.id);
    add_outcome_.bind(4, now_ms());
    bind_bytes(add_outcome_, 5, outcome.fingerprint);
    bind_number(add_outcome_, 6, outcome.revision);
    add_outcome_.bind(7, static_cast<int>(outcome.failed));
    add_outcome_.bindNoCopy(8, outcome.content_type);
    bind_bytes(add_outcome_, 9, outcome.body);
    change(db_, add_outcome_);
  }
}

// -- what is old -------------------------------------------------------------

int64_t sqlite_entities::now_ms() const {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(now_().time_since_epoch())
    .count();
}

void sqlite_entities::remove_old_outcomes() {
  auto now = now_ms();
  // A clock that was set back does not end it for as long.
  if (now < next_removal_ms_ && next_removal_ms_ - now <= removal_interval_ms)
    return;
  try {
    auto removed = remove_oldest_outcomes(now - retention_ms);
    auto is_more = removed == removed_per_step;
    next_removal_ms_ = is_more ? now : now + removal_interval_ms;
  } catch (const SQLite::Exception&) {
    // If it cost the transaction, COMMIT will say so; else there is a next time.
  }
}

size_t sqlite_entities::remove_oldest_outcomes(int64_t before_ms) {
  size_t count = 0;
  int64_t last = 0;
  oldest_outcomes_.bind(1, static_cast<int64_t>(removed_per_step));
  for (sqlite_query oldest{oldest_outcomes_};
       oldest.next() && oldest.number(1) < before_ms; ++count)
    last = oldest.number(0);
  if (count > 0) {
    remove_outcomes_.bind(1, last);
    change(db_, remove_outcomes_);
  }
  return count;
}

} // namespace troupe
