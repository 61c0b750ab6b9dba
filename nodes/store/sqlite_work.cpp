#include "nodes/store/sqlite_work.hpp"

#include <algorithm>
#include <utility>

#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_work_rows.hpp"
#include "nodes/store/work_rules.hpp"

namespace troupe {

namespace {

/// Longer arguments are in a table of their own.
constexpr size_t inline_body_max = 4096;

/// Expired work that a claim looks at for a priority of a lane: the rest is
/// there when that is buried.
constexpr size_t passed_over_max = 1000;

void bind_answer(SQLite::Statement& statement, int index, const payload& x) {
  statement.bindNoCopy(index, x.content_type);
  bind_bytes(statement, index + 1, x.bytes);
}

token_bytes read_bytes(const SQLite::Column& column) {
  return to_bytes(read_id(column));
}

} // namespace

sqlite_work::sqlite_work(SQLite::Database& db) : db_(db), sql_(db) {}

void sqlite_work::begin() noexcept {
  highest_.reset();
  done_ms_ = -1;
}

// -- accepting ---------------------------------------------------------------

expected<work_accepted> sqlite_work::accept(const work_request& x) {
  auto id = to_bytes(x.item.id);
  if (is_known(id))
    return work_accepted{x.item.id, false};
  pack(packed_target_, x.item.target);
  if (!x.idempotency_key.empty())
    if (auto other = add_key(x, id, packed_target_))
      return *other;
  insert(x, id, packed_target_);
  return work_accepted{x.item.id, true};
}

bool sqlite_work::is_known(const token_bytes& id) {
  if (!highest_) {
    sqlite_query found{sql_.highest};
    found.next();
    highest_ = to_bytes(read_id(found.column(0)));
  }
  if (id > *highest_)
    return false;
  bind_bytes(sql_.known, 1, id);
  return sqlite_query{sql_.known}.next();
}

std::optional<expected<work_accepted>>
sqlite_work::add_key(const work_request& x, const token_bytes& id,
                     const std::string& target) {
  bind_bytes(sql_.find_key, 1, target);
  bind_bytes(sql_.find_key, 2, x.idempotency_key);
  if (sqlite_query found{sql_.find_key}; found.next()) {
    if (view_of(found.column(1)) != x.fingerprint)
      return key_of_other_work();
    return work_accepted{read_id(found.column(0)), false};
  }
  bind_bytes(sql_.add_key, 1, target);
  bind_bytes(sql_.add_key, 2, x.idempotency_key);
  bind_bytes(sql_.add_key, 3, id);
  bind_bytes(sql_.add_key, 4, x.fingerprint);
  sql_.add_key.bind(5, to_ms(x.item.accepted));
  change(db_, sql_.add_key);
  return std::nullopt;
}

void sqlite_work::insert(const work_request& x, const token_bytes& id,
                         const std::string& target) {
  auto& item = x.item;
  auto is_claimed = !x.claimed_by.empty();
  auto& statement = is_claimed ? sql_.add_claimed : sql_.add_waiting;
  auto lane = item.target.lane();
  pack_rest(packed_rest_, item, x.idempotency_key);
  auto& body = item.arguments.bytes;
  auto is_long = body.size() > inline_body_max;
  bind_bytes(statement, 1, id);
  statement.bindNoCopy(2, lane);
  statement.bind(3, static_cast<int>(item.priority));
  statement.bind(4, to_ms(item.due));
  statement.bind(5, to_ms(item.expires));
  statement.bind(6, to_ms(item.accepted));
  statement.bind(7, static_cast<int>(is_claimed));
  statement.bind(8, int64_t{item.attempts_max});
  statement.bindNoCopy(9, x.claimed_by);
  bind_bytes(statement, 10, target);
  bind_bytes(statement, 11, packed_rest_);
  if (is_long)
    statement.bind(12);
  else
    bind_bytes(statement, 12, body);
  change(db_, statement);
  highest_ = std::max(highest_.value_or(id), id);
  if (!is_long)
    return;
  bind_bytes(sql_.add_body, 1, id);
  bind_bytes(sql_.add_body, 2, body);
  change(db_, sql_.add_body);
}

// -- claiming ----------------------------------------------------------------

std::vector<claimed_work>
sqlite_work::claim(const std::string& claimed_by,
                   const std::vector<work_quota>& quotas, work_time now) {
  std::vector<claimed_work> result;
  for (auto& x : quotas)
    take(claimed_by, x, now, result);
  return result;
}

void sqlite_work::take(const std::string& claimed_by, const work_quota& quota,
                       work_time now, std::vector<claimed_work>& to) {
  for (auto& id : due_of(quota, now)) {
    to.push_back(read_waiting(id));
    ++to.back().attempt;
    bind_bytes(sql_.to_claimed, 1, id);
    sql_.to_claimed.bindNoCopy(2, claimed_by);
    change(db_, sql_.to_claimed);
    remove(sql_.remove_waiting, id);
  }
}

std::vector<token_bytes> sqlite_work::due_of(const work_quota& quota,
                                             work_time now) {
  std::vector<token_bytes> result;
  int64_t priority = work_priority_max + 1;
  while (result.size() < quota.most) {
    sql_.next_priority.bindNoCopy(1, quota.lane);
    sql_.next_priority.bind(2, priority);
    sqlite_query next{sql_.next_priority};
    if (!next.next())
      break;
    priority = next.number(0);
    sql_.next_due.bindNoCopy(1, quota.lane);
    sql_.next_due.bind(2, priority);
    sql_.next_due.bind(3, to_ms(now));
    size_t passed_over = 0;
    for (sqlite_query due{sql_.next_due};
         result.size() < quota.most && due.next();)
      if (due.number(1) >= to_ms(now))
        result.push_back(read_bytes(due.column(0)));
      else if (++passed_over == passed_over_max)
        break;
  }
  return result;
}

claimed_work sqlite_work::read_waiting(const token_bytes& id) {
  bind_bytes(sql_.read_waiting, 1, id);
  sqlite_query row{sql_.read_waiting};
  row.next();
  auto found = read_item(row);
  claimed_work result{std::move(found.item),
                      static_cast<uint32_t>(row.number(9))};
  if (found.is_long) {
    bind_bytes(sql_.read_body, 1, id);
    sqlite_query body{sql_.read_body};
    body.next();
    result.item.arguments.bytes = view_of(body.column(0));
  }
  return result;
}

// -- reports -----------------------------------------------------------------

work_outcome sqlite_work::report(const work_report& x, work_time now) {
  auto id = to_bytes(x.id);
  if (!settle(x, id, now))
    return stands_as_left_by(x, id) ? work_outcome::done
                                    : work_outcome::refused;
  for (auto& next : x.follow)
    (void)accept(next); // passes over those with other work's keys
  return work_outcome::done;
}

bool sqlite_work::settle(const work_report& x, const token_bytes& id,
                         work_time now) {
  auto is_finished = x.end && x.end != work_end::dead;
  if (is_finished && x.origin) {
    if (!end_claim(x, id))
      return false;
    pack(packed_target_, x.origin->target);
    finish(x, id,
           {packed_target_, x.origin->priority, to_ms(x.origin->accepted),
            x.origin->length > inline_body_max},
           now);
    return true;
  }
  auto row = find_claim(x, id);
  if (!row)
    return false;
  if (is_finished)
    finish(x, id, *row, now);
  else if (x.end)
    bury(id, x.answer, now);
  else
    wait_again(id, x.due, attempts_after(x),
               keeps_answer(x) ? nullptr : &x.answer);
  remove(sql_.remove_claimed, id);
  return true;
}

bool sqlite_work::end_claim(const work_report& x, const token_bytes& id) {
  bind_bytes(sql_.end_claim, 1, id);
  sql_.end_claim.bindNoCopy(2, x.claimed_by);
  sql_.end_claim.bind(3, int64_t{x.attempt});
  return change(db_, sql_.end_claim);
}

std::optional<sqlite_work::claimed_row>
sqlite_work::find_claim(const work_report& x, const token_bytes& id) {
  bind_bytes(sql_.find_claim, 1, id);
  sql_.find_claim.bindNoCopy(2, x.claimed_by);
  sql_.find_claim.bind(3, int64_t{x.attempt});
  sqlite_query row{sql_.find_claim};
  if (!row.next())
    return std::nullopt;
  packed_target_ = view_of(row.column(0));
  return claimed_row{packed_target_, row.number(1), row.number(2),
                     row.number(3) != 0};
}

bool sqlite_work::stands_as_left_by(const work_report& x,
                                    const token_bytes& id) {
  bind_bytes(sql_.find_left, 1, id);
  sqlite_query row{sql_.find_left};
  return row.next() && row.number(0) == static_cast<int>(state_after(x))
         && row.number(1) == attempts_after(x) && row.bytes(2) == x.claimed_by
         && (x.end || row.number(3) == to_ms(x.due));
}

void sqlite_work::finish(const work_report& x, const token_bytes& id,
                         const claimed_row& row, work_time now) {
  auto& statement = sql_.add_done;
  statement.bind(1, next_done_number(now));
  bind_bytes(statement, 2, id);
  bind_bytes(statement, 3, row.target);
  statement.bind(4, row.priority);
  statement.bind(5, row.accepted_ms);
  statement.bind(6, int64_t{x.attempt});
  statement.bindNoCopy(7, x.claimed_by);
  statement.bind(8, static_cast<int>(state_after(x)));
  bind_answer(statement, 9, x.answer);
  change(db_, statement);
  if (row.is_long)
    remove_body(id);
}

int64_t sqlite_work::next_done_number(work_time now) {
  auto first = first_done_number(now);
  auto last = first + (int64_t{1} << done_number_bits) - 1;
  if (done_ms_ != to_ms(now)) {
    sql_.last_done.bind(1, first);
    sql_.last_done.bind(2, last);
    sqlite_query found{sql_.last_done};
    done_number_ = found.next() ? found.number(0) : first - 1;
    done_ms_ = to_ms(now);
  }
  if (done_number_ == last) // a clock that stands still
    return next_done_number(now + std::chrono::milliseconds{1});
  return ++done_number_;
}

void sqlite_work::wait_again(const token_bytes& id, work_time due,
                             uint32_t attempts, const payload* answer,
                             std::optional<work_time> expires) {
  bind_bytes(sql_.to_waiting, 1, id);
  sql_.to_waiting.bind(2, to_ms(due));
  sql_.to_waiting.bind(3, int64_t{attempts});
  if (answer) {
    bind_answer(sql_.to_waiting, 4, *answer);
  } else {
    sql_.to_waiting.bind(4);
    sql_.to_waiting.bind(5);
  }
  if (expires)
    sql_.to_waiting.bind(6, to_ms(*expires));
  else
    sql_.to_waiting.bind(6);
  change(db_, sql_.to_waiting);
}

void sqlite_work::bury(const token_bytes& id, const payload& reason,
                       work_time now) {
  auto& statement = sql_.claimed_to_dead;
  bind_bytes(statement, 1, id);
  statement.bind(2, to_ms(now));
  bind_answer(statement, 3, reason);
  change(db_, statement);
}

void sqlite_work::remove(SQLite::Statement& statement, const token_bytes& id) {
  bind_bytes(statement, 1, id);
  change(db_, statement);
}

void sqlite_work::remove_body(const token_bytes& id) {
  remove(sql_.remove_body, id);
}

// -- what is old -------------------------------------------------------------

size_t sqlite_work::give_back(const std::string& claimed_by, work_time now,
                              size_t limit) {
  struct row {
    token_bytes id;
    uint32_t attempts;
    bool was_last;
  };
  std::vector<row> rows;
  sql_.claims_of.bindNoCopy(1, claimed_by);
  sql_.claims_of.bind(2, as_limit(limit));
  for (sqlite_query x{sql_.claims_of}; x.next();)
    rows.push_back({read_bytes(x.column(0)), static_cast<uint32_t>(x.number(1)),
                    x.number(1) >= x.number(2)});
  for (auto& x : rows) {
    wait_again(x.id, now, x.attempts, nullptr,
               x.was_last ? std::optional{no_time_left} : std::nullopt);
    remove(sql_.remove_claimed, x.id);
  }
  return rows.size();
}

std::vector<claimed_work>
sqlite_work::claim_expired(const std::string& claimed_by, work_time now,
                           size_t limit) {
  std::vector<token_bytes> ids;
  sql_.expired.bind(1, to_ms(now));
  sql_.expired.bind(2, as_limit(limit));
  for (sqlite_query x{sql_.expired}; x.next();)
    ids.push_back(read_bytes(x.column(0)));
  std::vector<claimed_work> result;
  for (auto& id : ids) {
    result.push_back(read_waiting(id));
    bind_bytes(sql_.expired_to_claimed, 1, id);
    sql_.expired_to_claimed.bindNoCopy(2, claimed_by);
    change(db_, sql_.expired_to_claimed);
    remove(sql_.remove_waiting, id);
  }
  return result;
}

size_t sqlite_work::forget(work_time finished, work_time died, work_time now,
                           size_t limit) {
  auto removed = [&](SQLite::Statement& statement, int64_t end) {
    statement.bind(1, end);
    statement.bind(2, as_limit(limit));
    change(db_, statement);
    return static_cast<size_t>(db_.getChanges());
  };
  return removed(sql_.remove_done, first_done_number(finished))
         + removed(sql_.remove_keys, to_ms(now - work_queue::key_retention))
         + remove_dead(died, limit);
}

size_t sqlite_work::remove_dead(work_time died, size_t limit) {
  std::vector<token_bytes> ids;
  sql_.died.bind(1, to_ms(died));
  sql_.died.bind(2, as_limit(limit));
  for (sqlite_query x{sql_.died}; x.next();)
    ids.push_back(read_bytes(x.column(0)));
  for (auto& id : ids) {
    remove(sql_.remove_dead, id);
    remove_body(id);
  }
  return ids.size();
}

// -- operators ---------------------------------------------------------------

std::vector<token_bytes> sqlite_work::select(const work_selection& which) {
  work_selection_query query{db_, which, "id"};
  std::vector<token_bytes> result;
  for (sqlite_query x{query.statement()}; x.next();)
    result.push_back(read_bytes(x.column(0)));
  return result;
}

size_t sqlite_work::redrive(const work_selection& which, work_time now,
                            work_time expires) {
  auto ids = select(which);
  for (auto& id : ids) {
    bind_bytes(sql_.dead_to_waiting, 1, id);
    sql_.dead_to_waiting.bind(2, to_ms(now));
    sql_.dead_to_waiting.bind(3, to_ms(expires));
    change(db_, sql_.dead_to_waiting);
    remove(sql_.remove_dead, id);
  }
  return ids.size();
}

size_t sqlite_work::purge(const work_selection& which) {
  auto ids = select(which);
  auto is_dead = which.state == work_state::dead;
  for (auto& id : ids)
    purge(id, is_dead ? sql_.read_dead : sql_.read_waiting,
          is_dead ? sql_.remove_dead : sql_.remove_waiting);
  return ids.size();
}

void sqlite_work::withdraw(const invocation_id& id) {
  auto bytes = to_bytes(id);
  auto is_waiting = [&] {
    bind_bytes(sql_.read_waiting, 1, bytes);
    return sqlite_query{sql_.read_waiting}.next();
  };
  if (is_waiting())
    purge(bytes, sql_.read_waiting, sql_.remove_waiting);
}

void sqlite_work::purge(const token_bytes& id, SQLite::Statement& read,
                        SQLite::Statement& remove_row) {
  auto found = [&] {
    bind_bytes(read, 1, id);
    sqlite_query row{read};
    row.next();
    return read_item(row);
  }();
  if (!found.idempotency_key.empty()) {
    // It may have been forgotten, and used again.
    pack(packed_target_, found.item.target);
    bind_bytes(sql_.remove_key, 1, packed_target_);
    bind_bytes(sql_.remove_key, 2, found.idempotency_key);
    bind_bytes(sql_.remove_key, 3, id);
    change(db_, sql_.remove_key);
  }
  remove(remove_row, id);
  if (found.is_long)
    remove_body(id);
}

} // namespace troupe
