#include "nodes/store/sqlite_leases.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_query.hpp"
#include "nodes/store/sqlite_schema.hpp"

namespace troupe {

namespace {

/// Each node asks a few times a second: more than so wait only if the file
/// cannot be written.
constexpr size_t jobs_max = 1'024;

constexpr size_t jobs_per_turn = 64;

/// A lock that is held for longer costs a renewal, and there is a next one.
constexpr std::chrono::milliseconds busy_timeout{500};

SQLite::Database prepare(const std::filesystem::path& file) {
  sqlite_options options;
  options.busy_timeout = busy_timeout;
  auto db = open_connection(file, options);
  migrate_schema(db, file, cluster_schema());
  if (db.execAndGet("PRAGMA journal_mode=WAL").getString() != "wal")
    refuse_file(file, "cannot have a write-ahead log");
  db.exec("PRAGMA synchronous=NORMAL");
  db.execAndGet("PRAGMA wal_autocheckpoint=100");
  return db;
}

constexpr int64_t as_number(node_state x) noexcept {
  return static_cast<int64_t>(x);
}

} // namespace

/// The table in its file. Every function is one transaction, and may throw
/// SQLite::Exception.
class sqlite_lease_table::rows {
public:
  explicit rows(const std::filesystem::path& file)
    : db_(prepare(file)),
      insert_(db_, "INSERT OR IGNORE INTO lease VALUES "
                   "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)"),
      renew_(db_, "UPDATE lease SET node = ?2, link_endpoint = ?3, "
                  "http_url = ?4, capacity = ?5, zone = ?6, version = ?7, "
                  "wire_version = ?8, settings = ?9, "
                  "state = max(state, ?10), counter = counter + 1 "
                  "WHERE incarnation = ?1 AND state < 4"),
      all_(db_, "SELECT incarnation, node, link_endpoint, http_url, capacity, "
                "zone, version, wire_version, settings, state, counter "
                "FROM lease ORDER BY incarnation"),
      declare_(db_, "UPDATE lease SET state = 4 "
                    "WHERE incarnation = ?1 AND counter = ?2 AND state < 4"),
      alive_(db_, "SELECT 1 FROM lease WHERE incarnation = ?1 AND state < 4"),
      leave_(db_, "UPDATE lease SET state = 4 WHERE incarnation = ?1"),
      forget_(db_, "DELETE FROM lease WHERE incarnation = ?1 AND state = 4") {}

  lease_view renew(const lease_row& mine) {
    SQLite::Transaction all{db_, SQLite::TransactionBehavior::IMMEDIATE};
    if (mine.counter == 0) {
      bind(insert_, mine);
      run(insert_);
    }
    bind(renew_, mine);
    lease_view result;
    result.fenced = run(renew_) == 0;
    for (sqlite_query row{all_}; row.next();) {
      result.rows.push_back(read(row));
      if (result.rows.back().incarnation == mine.incarnation && !result.fenced)
        result.counter = result.rows.back().counter;
    }
    all.commit();
    return result;
  }

  verdict declare_dead(const std::string& incarnation, uint64_t counter_seen) {
    SQLite::Transaction all{db_, SQLite::TransactionBehavior::IMMEDIATE};
    declare_.bindNoCopy(1, incarnation);
    bind_number(declare_, 2, counter_seen);
    auto dies = run(declare_) > 0;
    alive_.bindNoCopy(1, incarnation);
    auto lives = sqlite_query{alive_}.next();
    all.commit();
    return dies ? verdict::dies : lives ? verdict::lives : verdict::was_down;
  }

  void leave(const std::string& incarnation) {
    leave_.bindNoCopy(1, incarnation);
    run(leave_);
  }

  void forget(const std::string& incarnation) {
    forget_.bindNoCopy(1, incarnation);
    run(forget_);
  }

private:
  int run(SQLite::Statement& statement) {
    if (auto code = troupe::run(db_, statement); code != SQLITE_DONE)
      throw SQLite::Exception{db_.getHandle(), code};
    return db_.getChanges();
  }

  static void bind(SQLite::Statement& to, const lease_row& x) {
    to.bindNoCopy(1, x.incarnation);
    to.bindNoCopy(2, x.node);
    to.bindNoCopy(3, x.link_endpoint);
    to.bindNoCopy(4, x.http_url);
    to.bind(5, int64_t{x.capacity});
    to.bindNoCopy(6, x.zone);
    to.bindNoCopy(7, x.version);
    to.bind(8, int64_t{x.wire_version});
    to.bindNoCopy(9, x.settings);
    to.bind(10, as_number(std::min(x.state, node_state::draining)));
  }

  static lease_row read(sqlite_query& row) {
    return {row.bytes(1),
            row.bytes(0),
            row.bytes(2),
            row.bytes(3),
            static_cast<uint32_t>(row.number(4)),
            row.bytes(5),
            row.bytes(6),
            static_cast<uint32_t>(row.number(7)),
            row.bytes(8),
            static_cast<node_state>(row.number(9)),
            static_cast<uint64_t>(row.number(10))};
  }

  SQLite::Database db_;
  SQLite::Statement insert_;
  SQLite::Statement renew_;
  SQLite::Statement all_;
  SQLite::Statement declare_;
  SQLite::Statement alive_;
  SQLite::Statement leave_;
  SQLite::Statement forget_;
};

sqlite_lease_table::sqlite_lease_table(const std::filesystem::path& folder)
  : folder_(folder), queue_(jobs_max) {
  auto file = folder_ / "cluster.db";
  try {
    rows_ = std::make_unique<rows>(file);
  } catch (const SQLite::Exception& e) {
    refuse_file(file, std::string{"cannot be used: "} + e.what());
  }
  thread_ = std::thread{[this] { work(); }};
}

sqlite_lease_table::~sqlite_lease_table() {
  queue_.close();
  thread_.join();
}

void sqlite_lease_table::work() {
  std::vector<job> turn;
  while (queue_.pop(turn, jobs_per_turn))
    for (auto& x : turn)
      x(rows_.get());
}

template <class T, class Query>
void sqlite_lease_table::ask(callback<T> done, Query query) {
  job x = [done = std::move(done), query = std::move(query)](rows* table) {
    if (!table)
      return done(store_unavailable("too much waits for the leases"));
    expected<T> result = store_unavailable("");
    try {
      result = query(*table);
    } catch (const SQLite::Exception& e) {
      result = store_unavailable(std::string{"the leases cannot be written: "}
                                 + e.what());
    } catch (const error_exception& e) {
      result = e.reason();
    }
    done(std::move(result));
  };
  if (!queue_.push(x))
    x(nullptr);
}

void sqlite_lease_table::lock(const std::string& incarnation) {
  std::lock_guard guard{mutex_};
  locks_.try_emplace(incarnation, folder_, incarnation);
}

void sqlite_lease_table::unlock(const std::string& incarnation) {
  std::lock_guard guard{mutex_};
  locks_.erase(incarnation);
}

void sqlite_lease_table::renew(lease_row mine, callback<lease_view> done) {
  ask<lease_view>(std::move(done), [this, mine = std::move(mine)](rows& x) {
    lock(mine.incarnation); // before anybody can see the row
    auto result = x.renew(mine);
    if (result.fenced)
      unlock(mine.incarnation);
    return result;
  });
}

void sqlite_lease_table::declare_dead(std::string incarnation,
                                      uint64_t counter_seen,
                                      callback<verdict> done) {
  ask<verdict>(std::move(done), [=](rows& x) {
    return x.declare_dead(incarnation, counter_seen);
  });
}

void sqlite_lease_table::leave(std::string incarnation, callback<void> done) {
  ask<void>(std::move(done), [=, this](rows& x) {
    x.leave(incarnation);
    unlock(incarnation);
    return expected<void>{};
  });
}

void sqlite_lease_table::forget(std::string incarnation) {
  ask<void>([](const expected<void>&) {},
            [=, this](rows& x) {
              x.forget(incarnation);
              process_lock::remove(folder_, incarnation);
              return expected<void>{};
            });
}

bool sqlite_lease_table::proven_dead(const std::string& incarnation) noexcept {
  return process_lock::is_dead(folder_, incarnation);
}

} // namespace troupe
