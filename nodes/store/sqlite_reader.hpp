// The thread of a SQLite store that reads. Each query is a transaction of its
// own, so that it sees every commit that was acknowledged before it.

#pragma once

#include <filesystem>
#include <functional>
#include <thread>

#include <SQLiteCpp/SQLiteCpp.h>

#include "actors/core/backends.hpp"
#include "actors/core/cluster_backends.hpp"
#include "actors/core/lock_backend.hpp"
#include "nodes/store/batch_queue.hpp"
#include "nodes/store/sqlite_connection.hpp"
#include "nodes/store/sqlite_options.hpp"
#include "nodes/store/sqlite_work_queries.hpp"

namespace troupe {

/// What can be asked. Every function may throw SQLite::Exception.
class sqlite_queries {
public:
  sqlite_queries(const std::filesystem::path& file,
                 const sqlite_options& options);

  stored_state load(const entity_id& entity);

  std::optional<recorded_outcome> find_outcome(const entity_id& entity,
                                               const std::string& id);

  std::vector<listed_entity> list(const list_request& request);

  /// The shards that have moved after `version`, and how many there are.
  shard_view shards(uint64_t version);

  lock_row find_lock(const std::string& name);

  sqlite_work_queries& work() noexcept { return work_; }

private:
  SQLite::Database db_;
  SQLite::Statement load_;
  SQLite::Statement find_outcome_;
  SQLite::Statement list_from_;
  SQLite::Statement list_after_;
  SQLite::Statement shards_;
  SQLite::Statement lock_;
  sqlite_work_queries work_;
  std::function<lock_time()> lock_clock_;
};

class sqlite_reader {
public:
  /// Answers one question, if the store can be read.
  using job = std::function<void(sqlite_queries&)>;

  /// @throws SQLite::Exception
  sqlite_reader(const std::filesystem::path& file,
                const sqlite_options& options);

  sqlite_reader(const sqlite_reader&) = delete;
  sqlite_reader& operator=(const sqlite_reader&) = delete;

  /// Answers what waits.
  ~sqlite_reader();

  void start();

  /// False if too many wait; then `x` is as it was. Thread-safe.
  bool push(job& x) { return queue_.push(x); }

  /// Answers `done` with what `query` says, or with why it could not be asked.
  template <class T, class Query>
  void ask(std::function<void(expected<T>)> done, Query query) {
    job x = [done, query = std::move(query)](sqlite_queries& queries) {
      try {
        done(query(queries));
      } catch (const SQLite::Exception& e) {
        done(store_unavailable(std::string{"the store cannot be read: "}
                               + e.what()));
      }
    };
    if (!push(x))
      done(store_unavailable("too many reads wait for the store"));
  }

private:
  void work();

  sqlite_queries queries_;
  batch_queue<job> queue_;
  std::thread thread_;
};

} // namespace troupe
