// Brokers of a test's own, from Debian's packages: on a free port of the
// loopback, in a temporary folder. None outlives the test, not after a crash of
// the test either.

#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/support/temporary_folder.hpp"

namespace troupe::test {

/// A server that can be ended and started again with what it had on disk.
class broker_process {
public:
  broker_process(const broker_process&) = delete;

  broker_process& operator=(const broker_process&) = delete;

  /// Kills it if it still runs.
  virtual ~broker_process();

  // -- properties ------------------------------------------------------------

  uint16_t port() const noexcept { return port_; }

  const std::filesystem::path& folder() const noexcept {
    return folder_.path();
  }

  /// What it has said since it was first started.
  std::string log() const;

  // -- life ------------------------------------------------------------------

  /// Returns when it listens. @throws std::runtime_error if it does not
  void start();

  /// SIGTERM; returns when it is gone.
  void stop();

  /// SIGKILL.
  void kill();

protected:
  broker_process();

  virtual std::vector<std::string> command() const = 0;

  /// Takes a free port.
  void take_port();

private:
  void end(int signal);

  testing::temporary_folder folder_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// With persistence: what it knows survives SIGTERM (2.0.11 writes it then, and
/// now and then; not what came since the last time before a SIGKILL).
class mosquitto_server : public broker_process {
public:
  /// Lines for its configuration; without any it takes everybody.
  explicit mosquitto_server(std::string settings = "allow_anonymous true\n");

  std::string url() const;

private:
  std::vector<std::string> command() const override;
};

/// With JetStream.
class nats_server : public broker_process {
public:
  /// Lines for its configuration.
  explicit nats_server(std::string settings = {});

  std::string url() const;

private:
  std::vector<std::string> command() const override;
};

/// How many messages a long test sends: TROUPE_MESSAGES, or 2000.
int messages_of_tests();

/// Runs a program to its end. @throws std::runtime_error unless it ends well
void run_tool(const std::vector<std::string>& command);

/// A certificate that is its own CA, for the host 127.0.0.1: `file`.pem and
/// `file`.key.
void make_certificate(const std::filesystem::path& file);

} // namespace troupe::test
