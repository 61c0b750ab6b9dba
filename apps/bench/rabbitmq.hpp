// RabbitMQ as a queue of jobs: what our queue is measured beside where its server
// and librabbitmq are installed.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "apps/bench/child_process.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

/// A server with a durable queue, in a folder that goes with it.
class rabbitmq_server {
public:
  static bool is_installed();

  /// @throws cannot_measure if it does not start
  rabbitmq_server();

  /// Publishes persistent messages for `time`, as many unconfirmed as clients of
  /// ours call at once; a consumer that may have as many acknowledges each.
  /// @returns jobs a second, until the last one is acknowledged
  /// @throws cannot_measure
  double jobs(std::chrono::milliseconds time) const;

private:
  temporary_folder folder_;
  uint16_t port_;

  /// Erlang's own name server, which would else stay behind.
  std::optional<child_process> names_;
  std::optional<child_process> process_;
};

} // namespace troupe::bench
