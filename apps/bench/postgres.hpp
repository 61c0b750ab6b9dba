// A PostgreSQL server of the bench's own, and pgbench on it: what a durable call
// on PostgreSQL is measured beside.

#pragma once

#include <optional>
#include <string>

#include "apps/bench/child_process.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

/// With Debian's settings, fsync among them, in a folder that goes with it. As
/// root it runs as the user postgres.
class postgres_bench_server {
public:
  /// The programs of PostgreSQL 15 are there.
  static bool is_installed();

  /// @throws cannot_measure if it does not start
  postgres_bench_server();

  /// For a store: "postgresql://...".
  std::string url(const std::string& database = "postgres") const;

  /// The server's first process; all others are its children.
  pid_t id() const noexcept { return process_->id(); }

  /// @throws cannot_measure
  void make_database(const std::string& name) const;

  /// Makes the tables that `update` changes.
  /// @throws cannot_measure
  void prepare(unsigned keys);

  /// 64 clients, each of which adds to a row of its own choice, one of `keys`,
  /// in a transaction of its own.
  /// @returns transactions a second
  double update(unsigned keys, std::chrono::seconds time) const;

  /// 64 clients, each of which puts a job in a table, takes one that nobody else
  /// has (`FOR UPDATE SKIP LOCKED`) and writes its result, in three transactions.
  /// @returns jobs a second
  double queue(std::chrono::seconds time) const;

private:
  /// What pgbench does with the script at `path`.
  /// @returns runs of it a second
  double script(const std::string& path, std::chrono::seconds time) const;

  std::string data_folder() const;

  /// Runs one of PostgreSQL's programs to its end.
  static std::string run(std::vector<std::string> command);

  temporary_folder folder_;
  uint16_t port_;
  std::optional<child_process> process_;
};

} // namespace troupe::bench
