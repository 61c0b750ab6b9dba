// The server that a store is on, as all of its connections see it: it lets in
// only what keeps the store's promises, and notices when another history has
// taken the place of the one that was read before.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "nodes/store/postgres_connection.hpp"
#include "nodes/store/postgres_options.hpp"

namespace troupe {

/// What a connection is for.
struct postgres_role {
  /// Seen in pg_stat_activity: "troupe writer".
  std::string name;

  std::chrono::milliseconds answer_time{0};
  std::chrono::milliseconds lock_time{0};

  /// For each address of the server.
  std::chrono::seconds connect_time{0};

  /// Between tries to connect.
  backoff_options pauses;

  std::vector<const postgres_statement*> statements;

  /// It stands for the node: see `postgres_options::is_shared`.
  bool has_store = false;

  /// What the session before has begun is over before anything is asked of the
  /// next one: else the same row could be there twice, if somebody moves the
  /// first one on meanwhile.
  bool awaits_end = false;
};

/// A session of the server, which it can be asked to end.
struct postgres_backend {
  std::string pid;
  std::string started;
};

/// A connection that can be used, and what it is connected to.
struct postgres_link {
  std::unique_ptr<postgres_connection> connection;
  postgres_timeline timeline;
  postgres_backend backend;
};

/// Thread-safe.
class postgres_server {
public:
  /// @throws error_exception `bad_request`
  postgres_server(std::string url, postgres_options options);

  /// Opens a connection: brings the tables up to date if need be, ends the
  /// session `before`, so that nothing that was sent on it is done later, and
  /// tells if the timeline is a new one.
  /// @throws postgres_error
  /// @throws error_exception `store_unavailable`: a server that is not fit
  postgres_link connect(const postgres_role& role,
                        const postgres_backend& before);

  /// Whether `x` is still what the connections are on. A link that was made
  /// before a new timeline was noticed leads to a server of the past.
  bool is_current(const postgres_timeline& x) const noexcept {
    return x.number == timeline_number_.load(std::memory_order_acquire);
  }

  const postgres_options& options() const noexcept { return options_; }

  const std::string& description() const noexcept { return description_; }

  void log(const std::string& text,
           postgres_notice kind = postgres_notice::trouble) const;

private:
  void check_replication(const std::string& standbys,
                         const std::string& commit) const;
  void note(const postgres_timeline& x);

  std::string url_;
  postgres_options options_;
  std::string description_;
  std::mutex mutex_; // guards timeline_
  postgres_timeline timeline_;
  std::atomic<uint32_t> timeline_number_{0};
};

} // namespace troupe
