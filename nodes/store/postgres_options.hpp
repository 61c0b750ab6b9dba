// How a PostgreSQL store is run. The defaults are what a node uses; tests and
// tools change some.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "actors/model/backoff.hpp"

namespace troupe {

/// On how many disks a commit is before it is acknowledged.
enum class replication_mode : uint8_t {
  /// On the server's own. Should another server take its place, then what it
  /// had not sent yet is lost. The server may do more than that.
  single,
  /// On a second server's as well: a server that does not wait for one is
  /// refused.
  sync,
};

/// "single" or "sync".
std::string_view to_string(replication_mode x) noexcept;

/// Nothing if there is no such mode.
std::optional<replication_mode>
replication_mode_from_string(std::string_view x) noexcept;

/// Whose history it is that a server goes on with.
struct postgres_timeline {
  /// What initdb drew; the same for a server and its standbys.
  std::string system;

  /// Rises each time when a standby or a backup becomes a server: it need not
  /// have all that was committed before.
  uint32_t number = 0;

  friend bool operator==(const postgres_timeline&,
                         const postgres_timeline&) = default;
};

/// What an operator hears of a server.
enum class postgres_notice : uint8_t {
  /// Something is as it should be again.
  news,
  trouble,
};

struct postgres_options {
  using milliseconds = std::chrono::milliseconds;

  /// What an operator has declared; checked at each connection, and in `sync`
  /// at each commit.
  replication_mode replication = replication_mode::single;

  /// Whether other nodes may have the store too. A node that has it alone, and
  /// those that share it, exclude each other.
  bool is_shared = true;

  /// Requests that wait at most, for the thread that writes and for the one
  /// that reads; past it they fail at once.
  size_t queue = 262'144;

  /// Requests of one transaction at most: a bound on how long one takes.
  size_t requests_per_commit = 256;

  /// Bytes of one transaction, unless a single request has more.
  size_t bytes_per_commit = 4 << 20;

  /// How long the server may take for one answer. Past it the connection is
  /// closed, and whether a commit was done is unknown. Raise it for slow disks.
  milliseconds statement_time{5'000};

  /// The same for leases and shards, which are worth nothing later.
  milliseconds cluster_time{1'500};

  /// How long to wait for a row that somebody else has locked.
  milliseconds lock_time{1'000};

  /// The same for leases and shards.
  milliseconds cluster_lock_time{300};

  /// After how long the server ends a session that began a transaction and says
  /// nothing more: a node that stands still holds nobody's rows.
  milliseconds idle_in_transaction_time{2'000};

  /// How long one address of a server may take to let us in; for leases and
  /// shards 2 s at most, and for all 10 s at least when the store is opened.
  /// libpq counts seconds, from 2.
  std::chrono::seconds connect_time{3};

  /// Between tries to connect; for leases and shards 300 ms at most, well below
  /// the 3 s after which others take a node for dead.
  backoff_options backoff{std::chrono::milliseconds{50},
                          std::chrono::milliseconds{1'000}};

  /// How often a connection that nobody uses is looked at.
  milliseconds check_interval{500};

  /// In place of the server's clock, by which a lock's time is over: for tests.
  /// Since 1970.
  std::function<milliseconds()> lock_clock;

  /// Called once for each change, before anything is answered from the new
  /// timeline: what was read or claimed before may not be so any more. From a
  /// thread of the store; does not block, and calls nothing of it.
  std::function<void(const postgres_timeline& was, const postgres_timeline& is)>
    on_new_timeline;

  /// Told of what an operator would want to know. From any thread of the store.
  std::function<void(postgres_notice, const std::string&)> log;
};

} // namespace troupe
