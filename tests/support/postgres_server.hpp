// A PostgreSQL server of a test's own, from Debian's package: in a temporary
// folder (of memory, where there is enough of it), on a free port of the loopback
// and a Unix socket, with fsync. As root it runs as the user postgres, which
// PostgreSQL insists on. Nothing of it outlives the test: not after a crash of
// the test either. In a network of the test's own it listens on a host of that.

#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/support/network.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::testing {

/// Where it listens.
struct postgres_place {
  /// Outlives it; null: where the test is.
  const test::network_namespace* network = nullptr;

  std::string address = "127.0.0.1";
};

/// How it ends.
enum class postgres_stop : int {
  /// Sessions are ended, and all is in order: SIGINT.
  fast,
  /// As it stands; recovery is for the next start: SIGQUIT.
  immediate,
  /// SIGKILL, all of its processes.
  killed,
};

class postgres_instance {
public:
  using rows = std::vector<std::vector<std::string>>;

  /// Makes a server and starts it.
  /// @param settings "name=value"
  explicit postgres_instance(std::vector<std::string> settings = {},
                             postgres_place place = {});

  /// Makes a standby of `primary`, which knows it as `name`.
  postgres_instance(postgres_instance& primary, const std::string& name);

  postgres_instance(const postgres_instance&) = delete;
  postgres_instance& operator=(const postgres_instance&) = delete;

  /// Kills it.
  ~postgres_instance();

  // -- life ------------------------------------------------------------------

  /// Returns when it answers.
  void start();

  /// Returns when it is gone.
  void stop(postgres_stop how);

  /// SIGSTOP and SIGCONT, all of its processes.
  void pause();
  void resume();

  /// A standby becomes a primary.
  void promote();

  // -- use -------------------------------------------------------------------

  /// Makes a database that nobody else uses; its URL, of a role that owns it
  /// and is no superuser.
  std::string new_database();

  /// "postgresql://USER@ADDRESS:PORT/DATABASE" of this server.
  std::string url(const std::string& database,
                  const std::string& user = "troupe") const;

  /// The same database on this server.
  std::string url_of(const std::string& other_url) const;

  /// Runs a statement as a superuser.
  /// @throws std::runtime_error
  rows sql(const std::string& statement,
           const std::string& database = "postgres");

  /// Sets one for all sessions.
  void set(const std::string& name, const std::string& value);

  uint16_t port() const noexcept { return port_; }

  /// What it has logged.
  std::string log() const;

private:
  void signal_all(int signal);
  std::vector<pid_t> children() const;
  void run(std::vector<std::string> command) const;
  void wait_until_it_answers();
  void open_to_all() const;

  temporary_folder folder_;
  std::string data_;
  std::vector<std::string> settings_;
  postgres_place place_;
  uint16_t port_ = 0;
  pid_t pid_ = 0;
  int databases_ = 0;
};

/// One for all tests of a program that do no harm to it; started with the first
/// and ended with the program.
postgres_instance& shared_postgres();

/// "postgresql://...": where `begin` is "postgresql://u@h:1/db", "db".
std::string database_of(const std::string& url);

} // namespace troupe::testing
