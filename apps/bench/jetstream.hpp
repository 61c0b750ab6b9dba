// NATS JetStream as a queue of jobs: what our queue is measured beside where it
// is installed. It writes to files, and acknowledges before they are synced.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "apps/bench/child_process.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

/// `nats-server` with a work-queue stream on disk, in a folder that goes with it.
class jetstream_server {
public:
  static bool is_installed();

  /// @throws cannot_measure if it does not start
  jetstream_server();

  /// Publishes for `time`, as many unacknowledged as clients of ours call at
  /// once; a pull consumer acknowledges each, in batches of as many.
  /// @returns jobs a second, until the last one is acknowledged
  /// @throws cannot_measure
  double jobs(std::chrono::milliseconds time) const;

private:
  temporary_folder folder_;
  uint16_t port_;
  std::optional<child_process> process_;
};

} // namespace troupe::bench
