// wrk, the load generator, for what its fixed requests can measure.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace troupe::bench {

struct wrk_load {
  uint16_t port = 0;
  unsigned connections = 1;
  std::chrono::milliseconds time{1000};

  /// Where wrk runs, with one thread; -1: anywhere.
  int core = 0;

  /// What is POSTed to; a `*` is a number below `keys`, another one each time.
  std::string target = "/invoke/echo";
  std::string body = std::string(128, 'x');
  std::string content_type = "application/octet-stream";
  unsigned keys = 1;

  /// Of the header `Prefer`; empty: none.
  std::string prefer{};
};

struct wrk_result {
  double requests = 0;
  double requests_per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
};

/// Calls as fast as it is answered.
/// @throws cannot_measure if wrk is missing, or if any answer was an error
wrk_result run_wrk(const wrk_load& load);

} // namespace troupe::bench
