// Redis with an fsync before each answer: what a durable call is measured
// beside where it is installed.

#pragma once

#include <optional>

#include "apps/bench/child_process.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

/// `redis-server` with `appendfsync always`, in a folder that goes with it.
class redis_server {
public:
  /// The programs are there.
  static bool is_installed();

  /// @throws cannot_measure if it does not start
  explicit redis_server(int core);

  /// INCR of `keys` keys, at random, by 64 clients on `core`.
  /// @returns answers a second
  double increment(unsigned keys, unsigned requests, int core) const;

private:
  temporary_folder folder_;
  uint16_t port_;
  std::optional<child_process> process_;
};

} // namespace troupe::bench
