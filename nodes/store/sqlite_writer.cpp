#include "nodes/store/sqlite_writer.hpp"

#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>

#include "nodes/store/claim_error.hpp"
#include "nodes/store/sqlite_checkpointer.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_schema.hpp"

namespace troupe {

namespace {

/// Outcomes that one transaction removes at most.
constexpr size_t removed_per_step = 64;

/// How often to look for some.
constexpr int64_t removal_interval_ms = 60'000;

constexpr int64_t retention_ms =
  std::chrono::milliseconds{state_store::outcome_retention}.count();

SQLite::Database prepare(const std::filesystem::path& file,
                         const sqlite_options& options) {
  auto db = open_connection(file, options);
  migrate_schema(db, file, data_schema());
  auto mode = db.execAndGet("PRAGMA journal_mode=WAL").getString();
  if (mode != "wal")
    refuse_file(file, "cannot have a write-ahead log");
  // What it grew to beyond its limit goes back to the disk.
  auto bytes = int64_t{options.log_pages_max} * read_pragma(db, "page_size");
  db.execAndGet("PRAGMA journal_size_limit=" + std::to_string(bytes));
  return db;
}

/// The calling thread takes a core when one is free rather than from a thread
/// that was at work: whoever gives it commits is still at it, and what comes
/// meanwhile goes into the same one.
void wait_for_a_free_core() noexcept {
  sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

bool has_an_id_twice(const std::vector<recorded_outcome>& xs) {
  for (size_t i = 1; i < xs.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (xs[i].id == xs[j].id)
        return true;
  return false;
}

} // namespace

sqlite_writer::sqlite_writer(const std::filesystem::path& file,
                             const sqlite_options& options)
  : db_(prepare(file, options)), begin_(db_, "BEGIN IMMEDIATE"),
    commit_(db_, "COMMIT"), rollback_(db_, "ROLLBACK"),
    fence_(db_, "UPDATE fence SET count = count + 1"),
    find_(db_, "SELECT revision, schema, token, state FROM entity "
               "WHERE service = ?1 AND key = ?2"),
    insert_(db_, "INSERT INTO entity (service, key, revision, schema, token) "
                 "VALUES (?1, ?2, 0, 1, ?3)"),
    set_token_(db_, "UPDATE entity SET token = ?3 "
                    "WHERE service = ?1 AND key = ?2"),
    update_(db_, "UPDATE entity SET revision = ?3, schema = ?4, state = ?5 "
                 "WHERE service = ?1 AND key = ?2 AND token = ?6 "
                 "AND revision = ?7"),
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
    remove_outcomes_(db_, "DELETE FROM outcome WHERE number <= ?1"),
    add_outbox_(db_, "INSERT INTO outbox (service, key, target, content_type, "
                     "body) VALUES (?1, ?2, ?3, ?4, ?5)"),
    find_shard_(db_, "SELECT owner, epoch FROM shard WHERE id = ?1"),
    move_shard_(db_, "INSERT OR REPLACE INTO shard "
                     "SELECT ?1, ?2, ?3, version FROM shards"),
    next_version_(db_, "UPDATE shards SET version = version + 1"),
    agree_on_count_(db_, "UPDATE shards SET count = ?1 WHERE count = 0"),
    count_(db_, "SELECT count FROM shards"), locks_(db_), work_(db_),
    lock_clock_(options.lock_clock), now_(options.now),
    log_pages_max_(options.log_pages_max),
    next_bound_pages_(options.log_pages_max),
    bound_step_pages_(options.checkpoint_pages), queue_(options.queue),
    requests_per_commit_(options.requests_per_commit),
    busy_timeout_(options.busy_timeout) {
  if (options.use == folder_use::shared)
    turn_.emplace(file.parent_path());
}

sqlite_writer::~sqlite_writer() {
  queue_.close();
  if (thread_.joinable())
    thread_.join();
}

void sqlite_writer::forget_uncommitted() {
  db_.exec("DELETE FROM entity INDEXED BY uncommitted WHERE revision = 0");
}

void sqlite_writer::start(sqlite_checkpointer& checkpointer) {
  checkpointer_ = &checkpointer;
  sqlite3_wal_hook(db_.getHandle(), log_has_grown, this);
  thread_ = std::thread{[this] { work(); }};
}

void sqlite_writer::work() {
  wait_for_a_free_core();
  while (queue_.wait()) {
    auto is_our_turn = !turn_ || turn_->take(busy_timeout_);
    // What came while others wrote goes into the same transaction.
    queue_.pop(group_, requests_per_commit_);
    answers_.assign(group_.size(), {});
    left_out_.assign(group_.size(), false);
    if (is_our_turn)
      write();
    else
      fail_all(commit_outcome::failed);
    // The log begins anew only if nobody writes meanwhile.
    auto is_log_full = log_pages_ >= log_pages_max_;
    if (!is_log_full)
      pass_turn_on();
    answer_all();
    group_.clear();
    bound_log();
    pass_turn_on();
  }
}

void sqlite_writer::pass_turn_on() noexcept {
  if (turn_)
    turn_->pass_on();
}

// -- a transaction -----------------------------------------------------------

void sqlite_writer::write() {
  if (is_uncertain_ && !settle())
    return;
  while (!try_write()) {
    // one more is left out each time
  }
}

bool sqlite_writer::try_write() {
  if (run(db_, begin_) != SQLITE_DONE)
    return fail_all(commit_outcome::failed), true;
  work_.begin();
  for (size_t i = 0; i < group_.size(); ++i) {
    if (left_out_[i] || apply(group_[i], answers_[i]))
      continue;
    auto is_broken = (db_.getExtendedErrorCode() & 0xFF) == SQLITE_IOERR;
    run(db_, rollback_); // fails if SQLite did it already
    answers_[i].outcome = commit_outcome::failed;
    left_out_[i] = true;
    if (is_broken)
      fail_all(commit_outcome::failed);
    return is_broken;
  }
  remove_old_outcomes();
  if (run(db_, commit_) != SQLITE_DONE) {
    run(db_, rollback_);
    fail_all(settle() ? commit_outcome::failed : commit_outcome::unknown);
  }
  return true;
}

void sqlite_writer::fail_all(commit_outcome outcome) {
  for (size_t i = 0; i < group_.size(); ++i)
    if (!left_out_[i])
      answers_[i].outcome = outcome;
}

bool sqlite_writer::settle() {
  is_uncertain_ = !write_fence();
  if (!is_uncertain_)
    return true;
  // On a full disk there may be no room behind the log, but there is in it.
  checkpointer_->copy_log();
  is_uncertain_ = !write_fence();
  return !is_uncertain_;
}

bool sqlite_writer::write_fence() {
  auto done = run(db_, begin_) == SQLITE_DONE && run(db_, fence_) == SQLITE_DONE
              && run(db_, commit_) == SQLITE_DONE;
  if (!done)
    run(db_, rollback_);
  return done;
}

void sqlite_writer::answer_all() {
  for (size_t i = 0; i < group_.size(); ++i)
    std::visit([&](auto& x) { tell(x, answers_[i]); }, group_[i]);
}

void sqlite_writer::tell(claiming& x, answer& what) {
  switch (what.outcome) {
  case commit_outcome::done:
    return x.done(std::move(what.found));
  case commit_outcome::refused:
    return x.done(not_the_owner(*x.owned));
  case commit_outcome::lock_lost: // has none
  case commit_outcome::failed:
  case commit_outcome::unknown:
    return x.done(store_unavailable("the claim could not be written"));
  }
}

void sqlite_writer::tell(committing& x, answer& what) {
  x.done(what.outcome);
}

void sqlite_writer::tell(moving& x, answer& what) {
  if (what.outcome == commit_outcome::done)
    x.done(std::move(what.moved));
  else
    x.done(store_unavailable("the shards could not be moved"));
}

void sqlite_writer::tell(counting& x, answer& what) {
  if (what.outcome == commit_outcome::done)
    x.done(what.count);
  else
    x.done(store_unavailable("the number of shards could not be written"));
}

void sqlite_writer::tell(locking& x, answer& what) {
  if (what.outcome == commit_outcome::done)
    return x.done(what.locked);
  auto reason = store_unavailable("the lock could not be written");
  if (what.outcome == commit_outcome::unknown)
    reason.with_effect(effect::unknown);
  x.done(std::move(reason));
}

// -- a request ---------------------------------------------------------------

bool sqlite_writer::apply(job& x, answer& to) {
  try {
    std::visit([&](auto& y) { put(y, to); }, x);
    return true;
  } catch (const SQLite::Exception&) {
    return false;
  }
}

void sqlite_writer::put(claiming& x, answer& to) {
  if (x.owned && !is_owned(*x.owned)) {
    to.outcome = commit_outcome::refused;
    return;
  }
  auto is_known = false;
  to.found = find(x.entity, is_known);
  auto& statement = is_known ? set_token_ : insert_;
  auto token = to_bytes(x.token);
  bind_entity(statement, x.entity);
  bind_bytes(statement, 3, token);
  change(db_, statement);
  to.outcome = commit_outcome::done;
}

bool sqlite_writer::is_owned(const shard_ownership& x) {
  return x.epoch > 0
         && find_shard(x.shard) == shard_row{x.shard, x.owner, x.epoch};
}

shard_row sqlite_writer::find_shard(uint32_t shard) {
  find_shard_.bind(1, int64_t{shard});
  sqlite_query found{find_shard_};
  if (!found.next())
    return {shard, {}, 0};
  return {shard, found.bytes(0), static_cast<uint64_t>(found.number(1))};
}

void sqlite_writer::put(moving& x, answer& to) {
  to.moved.clear(); // it may be tried again
  change(db_, next_version_);
  for (auto& move : x.moves) {
    auto row = find_shard(move.shard);
    auto fits =
      row.owner == move.expected_owner && row.epoch == move.expected_epoch;
    if (fits) {
      row = {move.shard, move.new_owner, row.epoch + 1};
      move_shard_.bind(1, int64_t{row.shard});
      move_shard_.bindNoCopy(2, row.owner);
      bind_number(move_shard_, 3, row.epoch);
      change(db_, move_shard_);
    }
    to.moved.push_back({fits, std::move(row)});
  }
  to.outcome = commit_outcome::done;
}

void sqlite_writer::put(counting& x, answer& to) {
  agree_on_count_.bind(1, int64_t{x.count});
  change(db_, agree_on_count_);
  sqlite_query found{count_};
  found.next();
  to.count = static_cast<uint32_t>(found.number(0));
  to.outcome = commit_outcome::done;
}

void sqlite_writer::put(locking& x, answer& to) {
  // Its time is that of the transaction: the wait for it is over.
  to.locked = x.change(locks_, lock_clock_());
  to.outcome = commit_outcome::done;
}

void sqlite_writer::put(working& x, answer& to) {
  x.job->apply(work_);
  to.outcome = commit_outcome::done;
}

claimed_state sqlite_writer::find(const entity_id& entity, bool& is_known) {
  bind_entity(find_, entity);
  sqlite_query found{find_};
  is_known = found.next();
  if (!is_known)
    return {};
  return {{static_cast<uint64_t>(found.number(0)), found.bytes(3),
           static_cast<uint32_t>(found.number(1))},
          read_token(found.column(2))};
}

void sqlite_writer::put(releasing& x, answer&) {
  auto token = to_bytes(x.token);
  bind_entity(remove_uncommitted_, x.entity);
  bind_bytes(remove_uncommitted_, 3, token);
  change(db_, remove_uncommitted_);
}

void sqlite_writer::put(committing& x, answer& to) {
  auto& request = x.request;
  // What can refuse comes before what is written.
  to.outcome = commit_outcome::refused;
  if (has_recorded(request))
    return;
  if (!request.locks.empty()) {
    if (!is_at_base(request))
      return;
    to.outcome = commit_outcome::lock_lost;
    if (!locks_.prove(request.locks))
      return;
    to.outcome = commit_outcome::refused;
  }
  if (!change_entity(request))
    return;
  add_outcomes(request);
  add_outbox(request);
  to.outcome = commit_outcome::done;
}

bool sqlite_writer::has_recorded(const commit_request& x) {
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

bool sqlite_writer::is_at_base(const commit_request& x) {
  auto token = to_bytes(x.token);
  bind_entity(at_base_, x.entity);
  bind_bytes(at_base_, 3, token);
  bind_number(at_base_, 4, x.base);
  return sqlite_query{at_base_}.next();
}

bool sqlite_writer::change_entity(const commit_request& x) {
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
  return change(db_, update_);
}

void sqlite_writer::add_outcomes(const commit_request& x) {
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

void sqlite_writer::add_outbox(const commit_request& x) {
  for (auto& message : x.outbox) {
    bind_entity(add_outbox_, x.entity);
    add_outbox_.bindNoCopy(3, message.target);
    add_outbox_.bindNoCopy(4, message.content_type);
    bind_bytes(add_outbox_, 5, message.body);
    change(db_, add_outbox_);
  }
}

// -- the log -----------------------------------------------------------------

int sqlite_writer::log_has_grown(void* self, sqlite3*, const char*, int pages) {
  static_cast<sqlite_writer*>(self)->log_pages_ = static_cast<uint32_t>(pages);
  return SQLITE_OK;
}

void sqlite_writer::bound_log() {
  if (log_pages_ < log_pages_max_) {
    next_bound_pages_ = log_pages_max_;
    checkpointer_->log_has(log_pages_);
    return;
  }
  if (log_pages_ < next_bound_pages_)
    return;
  checkpointer_->copy_log();
  // A reader that keeps an old snapshot holds it back: try again after a while.
  next_bound_pages_ = log_pages_ + bound_step_pages_;
}

// -- what is old -------------------------------------------------------------

int64_t sqlite_writer::now_ms() const {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(now_().time_since_epoch())
    .count();
}

void sqlite_writer::remove_old_outcomes() {
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

size_t sqlite_writer::remove_oldest_outcomes(int64_t before_ms) {
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
