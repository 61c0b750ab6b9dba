#include "nodes/store/sqlite_writer.hpp"

#include <algorithm>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>

#include "nodes/store/claim_error.hpp"
#include "nodes/store/sqlite_checkpointer.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_schema.hpp"

namespace troupe {

namespace {

using std::chrono::microseconds;

/// What can wait for company waits so long, in a transaction that is begun and
/// written but for its end; and what comes meanwhile is added so often.
constexpr microseconds patience{1000};
constexpr microseconds company_step{100};

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

} // namespace

sqlite_writer::sqlite_writer(const std::filesystem::path& file,
                             const sqlite_options& options)
  : db_(prepare(file, options)), begin_(db_, "BEGIN IMMEDIATE"),
    commit_(db_, "COMMIT"), rollback_(db_, "ROLLBACK"),
    fence_(db_, "UPDATE fence SET count = count + 1"),
    entities_(db_, options.now), shards_(db_), locks_(db_), work_(db_),
    lock_clock_(options.lock_clock), log_pages_max_(options.log_pages_max),
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
  entities_.forget_uncommitted();
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
  auto until = std::chrono::steady_clock::now() + patience;
  size_t i = 0;
  do {
    for (; i < group_.size(); ++i)
      if (!left_out_[i] && !apply(group_[i], answers_[i]))
        return leave_out(i);
  } while (wait_for_company(until));
  entities_.remove_old_outcomes();
  if (run(db_, commit_) != SQLITE_DONE) {
    run(db_, rollback_);
    fail_all(settle() ? commit_outcome::failed : commit_outcome::unknown);
  }
  return true;
}

bool sqlite_writer::leave_out(size_t i) {
  auto is_broken = (db_.getExtendedErrorCode() & 0xFF) == SQLITE_IOERR;
  run(db_, rollback_); // fails if SQLite did it already
  answers_[i].outcome = commit_outcome::failed;
  left_out_[i] = true;
  if (is_broken)
    fail_all(commit_outcome::failed);
  return is_broken;
}

bool sqlite_writer::wait_for_company(
  std::chrono::steady_clock::time_point until) {
  auto left = std::chrono::duration_cast<std::chrono::microseconds>(
    until - std::chrono::steady_clock::now());
  // Others who write to the file would wait as well.
  if (turn_ || left.count() <= 0 || group_.size() >= requests_per_commit_
      || !queue_.is_patient())
    return false;
  queue_.pop_more(group_, requests_per_commit_, std::min(left, company_step));
  answers_.resize(group_.size());
  left_out_.resize(group_.size());
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
  for (auto& [home, errands] : errands_)
    home->post(std::move(errands));
  errands_.clear();
}

home_thread::errands&
sqlite_writer::errands_of(std::shared_ptr<home_thread> home) {
  for (auto& [known, errands] : errands_)
    if (known == home)
      return errands;
  auto& result =
    errands_.emplace_back(std::move(home), home_thread::errands{}).second;
  result.reserve(group_.size());
  return result;
}

void sqlite_writer::tell(working& x, answer& what) {
  x.job->outcome = what.outcome;
  if (x.home)
    errands_of(std::move(x.home)).push_back(std::move(x.job));
  else
    x.job->run();
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
  if (x.owned && !shards_.is_owned(*x.owned)) {
    to.outcome = commit_outcome::refused;
    return;
  }
  to.found = entities_.claim(x.entity, x.token);
  to.outcome = commit_outcome::done;
}

void sqlite_writer::put(releasing& x, answer&) {
  entities_.release(x.entity, x.token);
}

void sqlite_writer::put(committing& x, answer& to) {
  to.outcome = entities_.commit(x.request, locks_, work_);
}

void sqlite_writer::put(moving& x, answer& to) {
  to.moved = shards_.move(x.moves);
  to.outcome = commit_outcome::done;
}

void sqlite_writer::put(counting& x, answer& to) {
  to.count = shards_.agree_on_count(x.count);
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

} // namespace troupe
