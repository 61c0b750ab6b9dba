#include "nodes/store/sqlite_store.hpp"

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "nodes/store/batch_queue.hpp"

namespace troupe {

namespace {

/// Marks the file as a store of Troupe's: "Trpe".
constexpr int application_id = 0x54727065;

/// Half of what SQLite can hold; what is longer would fail its whole group.
constexpr size_t state_length_max = 500'000'000;

/// Loads of one turn of the reader.
constexpr size_t loads_per_turn = 64;

constexpr auto schema = R"(
CREATE TABLE entity (
  service  TEXT NOT NULL,
  key      TEXT NOT NULL,
  revision INTEGER NOT NULL,
  state    TEXT NOT NULL,
  PRIMARY KEY (service, key)
) WITHOUT ROWID;
CREATE TABLE fence (
  id    INTEGER PRIMARY KEY CHECK (id = 0),
  count INTEGER NOT NULL
);
INSERT INTO fence VALUES (0, 0);
)";

error unavailable(std::string why) {
  return error{errc::store_unavailable, std::move(why)}.retry_after(1);
}

[[noreturn]] void refuse(const std::filesystem::path& file,
                         const std::string& why) {
  throw error_exception{
    error{errc::store_unavailable, "'" + file.string() + "' " + why}};
}

/// Runs a statement that gives no rows. Returns SQLite's extended code,
/// SQLITE_DONE if it went well.
int run(SQLite::Database& db, SQLite::Statement& statement) noexcept {
  auto code = statement.tryExecuteStep();
  if (code != SQLITE_DONE)
    code = db.getExtendedErrorCode();
  statement.tryReset();
  return code;
}

int64_t pragma(SQLite::Database& db, const char* name) {
  return db.execAndGet(std::string{"PRAGMA "} + name).getInt64();
}

void configure(SQLite::Database& db, const sqlite_options& options) {
  db.setBusyTimeout(static_cast<int>(options.busy_timeout.count()));
  db.exec("PRAGMA synchronous=FULL");
  if (options.pages_max > 0)
    db.execAndGet("PRAGMA max_page_count=" + std::to_string(options.pages_max));
}

void make_schema(SQLite::Database& db, const std::filesystem::path& file) {
  SQLite::Transaction all{db, SQLite::TransactionBehavior::IMMEDIATE};
  auto tables = db.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
  if (tables > 0)
    refuse(file, "is a database of something else than Troupe");
  db.exec(schema);
  db.exec("PRAGMA application_id=" + std::to_string(application_id));
  db.exec("PRAGMA user_version="
          + std::to_string(sqlite_store::schema_version));
  all.commit();
}

void check_schema(SQLite::Database& db, const std::filesystem::path& file) {
  auto version = pragma(db, "user_version");
  if (version == 0) {
    make_schema(db, file);
    return;
  }
  if (pragma(db, "application_id") != application_id)
    refuse(file, "is a database of something else than Troupe");
  if (version > sqlite_store::schema_version)
    refuse(file, "was written by a newer Troupe (schema "
                   + std::to_string(version) + ", this one knows "
                   + std::to_string(sqlite_store::schema_version) + ")");
}

SQLite::Database open_database(const std::filesystem::path& file) {
  return {file.string(),
          SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX};
}

/// A transaction whose writing failed: its last page, the one that makes it
/// valid, is not in the log.
bool surely_not_written(int code) noexcept {
  return (code & 0xFF) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
}

} // namespace

// -- the thread that writes ---------------------------------------------------

class sqlite_store::writer {
public:
  struct job {
    commit_request request;
    commit_callback done; // null: only settle what is uncertain
  };

  writer(const std::filesystem::path& file, const sqlite_options& options)
    : db_(prepare(file, options)), begin_(db_, "BEGIN IMMEDIATE"),
      commit_(db_, "COMMIT"), rollback_(db_, "ROLLBACK"),
      insert_(db_, "INSERT INTO entity (service, key, revision, state) "
                   "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING"),
      update_(db_, "UPDATE entity SET revision = ?3, state = ?4 "
                   "WHERE service = ?1 AND key = ?2 AND revision = ?5"),
      fence_(db_, "UPDATE fence SET count = count + 1"), queue_(options.queue),
      rows_per_commit_(options.rows_per_commit) {}

  ~writer() {
    queue_.close();
    if (thread_.joinable())
      thread_.join();
  }

  void start() {
    thread_ = std::thread{[this] { work(); }};
  }

  /// False if too many wait.
  bool push(job& x) { return queue_.push(x); }

  /// What the last failed COMMIT left behind is not known.
  bool uncertain() const noexcept {
    return uncertain_.load(std::memory_order_acquire);
  }

private:
  static SQLite::Database prepare(const std::filesystem::path& file,
                                  const sqlite_options& options) {
    auto db = open_database(file);
    configure(db, options);
    check_schema(db, file);
    auto mode = db.execAndGet("PRAGMA journal_mode=WAL").getString();
    if (mode != "wal")
      refuse(file, "cannot have a write-ahead log");
    return db;
  }

  void work() {
    std::vector<job> group;
    while (queue_.pop(group, rows_per_commit_)) {
      std::vector<commit_outcome> outcomes(group.size(),
                                           commit_outcome::failed);
      write(group, outcomes);
      for (size_t i = 0; i < group.size(); ++i)
        if (group[i].done)
          group[i].done(outcomes[i]);
    }
  }

  /// One transaction. A row that is refused refuses only itself.
  void write(std::vector<job>& group, std::vector<commit_outcome>& outcomes) {
    if (uncertain() && !settle())
      return;
    if (run(db_, begin_) != SQLITE_DONE)
      return;
    for (size_t i = 0; i < group.size(); ++i) {
      if (!group[i].done)
        continue;
      auto outcome = put(group[i].request);
      if (outcome == commit_outcome::failed) {
        run(db_, rollback_); // fails if SQLite did it already
        outcomes.assign(outcomes.size(), commit_outcome::failed);
        return;
      }
      outcomes[i] = outcome;
    }
    if (auto code = run(db_, commit_); code != SQLITE_DONE)
      outcomes.assign(outcomes.size(), after_failed_commit(code));
  }

  commit_outcome put(const commit_request& x) {
    auto& statement = x.base == 0 ? insert_ : update_;
    try {
      statement.bindNoCopy(1, x.entity.service);
      statement.bindNoCopy(2, x.entity.key);
      statement.bind(3, static_cast<int64_t>(x.next.revision));
      statement.bindNoCopy(4, x.next.state);
      if (x.base != 0)
        statement.bind(5, static_cast<int64_t>(x.base));
    } catch (const SQLite::Exception&) {
      return commit_outcome::failed;
    }
    if (run(db_, statement) != SQLITE_DONE)
      return commit_outcome::failed;
    return db_.getChanges() == 1 ? commit_outcome::done
                                 : commit_outcome::refused;
  }

  commit_outcome after_failed_commit(int code) {
    run(db_, rollback_);
    if (surely_not_written(code) || settle())
      return commit_outcome::failed;
    return commit_outcome::unknown;
  }

  /// Writes over a transaction that failed in its COMMIT.
  bool settle() {
    uncertain_.store(true, std::memory_order_release);
    auto done = run(db_, begin_) == SQLITE_DONE
                && run(db_, fence_) == SQLITE_DONE
                && run(db_, commit_) == SQLITE_DONE;
    if (done)
      uncertain_.store(false, std::memory_order_release);
    else
      run(db_, rollback_);
    return done;
  }

  SQLite::Database db_;
  SQLite::Statement begin_;
  SQLite::Statement commit_;
  SQLite::Statement rollback_;
  SQLite::Statement insert_;
  SQLite::Statement update_;
  SQLite::Statement fence_;
  batch_queue<job> queue_;
  size_t rows_per_commit_;
  std::atomic<bool> uncertain_{false};
  std::thread thread_;
};

// -- the thread that reads ----------------------------------------------------

class sqlite_store::reader {
public:
  struct job {
    entity_id entity;
    load_callback done;
  };

  reader(const std::filesystem::path& file, const sqlite_options& options,
         writer& other)
    : db_(open_database(file)),
      select_(db_, "SELECT revision, state FROM entity "
                   "WHERE service = ?1 AND key = ?2"),
      queue_(options.queue), writer_(other) {
    configure(db_, options);
  }

  ~reader() {
    queue_.close();
    if (thread_.joinable())
      thread_.join();
  }

  void start() {
    thread_ = std::thread{[this] { work(); }};
  }

  /// False if too many wait.
  bool push(job& x) { return queue_.push(x); }

private:
  void work() {
    std::vector<job> turn;
    while (queue_.pop(turn, loads_per_turn))
      for (auto& x : turn)
        x.done(find(x.entity));
  }

  /// Each SELECT is a transaction of its own, so it sees every commit that was
  /// acknowledged before it.
  expected<std::optional<stored_state>> find(const entity_id& entity) {
    if (writer_.uncertain()) {
      writer::job only_settle;
      (void)writer_.push(only_settle);
      return unavailable("the store recovers from a commit that failed");
    }
    try {
      select_.reset();
      select_.bindNoCopy(1, entity.service);
      select_.bindNoCopy(2, entity.key);
      std::optional<stored_state> result;
      if (select_.executeStep()) {
        auto revision = select_.getColumn(0).getInt64();
        result = {static_cast<uint64_t>(revision),
                  select_.getColumn(1).getString()};
      }
      select_.reset();
      return result;
    } catch (const SQLite::Exception& e) {
      select_.tryReset();
      return unavailable(std::string{"the store cannot be read: "} + e.what());
    }
  }

  SQLite::Database db_;
  SQLite::Statement select_;
  batch_queue<job> queue_;
  writer& writer_;
  std::thread thread_;
};

// -- the store ----------------------------------------------------------------

sqlite_store::sqlite_store(const std::filesystem::path& folder,
                           sqlite_options options)
  : folder_(folder) {
  auto file = folder_.path() / "data.db";
  try {
    writer_ = std::make_unique<writer>(file, options);
    reader_ = std::make_unique<reader>(file, options, *writer_);
  } catch (const SQLite::Exception& e) {
    refuse(file, std::string{"cannot be used: "} + e.what());
  }
  folder_.sync();
  writer_->start();
  reader_->start();
}

sqlite_store::~sqlite_store() {
  reader_.reset(); // its last loads may still ask the writer
  writer_.reset();
}

void sqlite_store::load(entity_id entity, load_callback done) {
  reader::job x{std::move(entity), std::move(done)};
  if (!reader_->push(x))
    x.done(unavailable("too many loads wait for the store"));
}

void sqlite_store::commit(commit_request request, commit_callback done) {
  writer::job x{std::move(request), std::move(done)};
  if (x.request.next.state.size() > state_length_max || !writer_->push(x))
    x.done(commit_outcome::failed);
}

std::string sqlite_store::describe() const {
  return "sqlite:" + folder_.path().string();
}

} // namespace troupe
