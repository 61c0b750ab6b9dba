// A node whose queue is measured, and the load on it: calls over HTTP that are
// accepted, run and acknowledged, all of it on disk.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "apps/bench/http_servers.hpp"
#include "apps/bench/temporary.hpp"

namespace troupe::bench {

/// Clients that call at once; a batch of the bare baselines.
constexpr unsigned queued_in_flight = 64;

/// What is queued: a function of the examples, and what it is called with.
constexpr const char* queued_target = "/invoke/add";
constexpr const char* queued_arguments = "[2,3]";

struct queue_run {
  double jobs_per_second = 0;

  /// Of one core, of the node.
  double cpu_us = 0;
};

class queue_node {
public:
  /// On SQLite, with as many jobs in the queue that nobody here does now.
  explicit queue_node(uint64_t backlog);

  /// On the store at `store`.
  explicit queue_node(const std::string& store);

  uint16_t port() const { return node_->port(); }

  /// Accepts for `time`, and counts until all of it is done.
  /// @throws cannot_measure
  queue_run run(std::chrono::milliseconds time);

  /// Until nothing that was accepted here waits or runs.
  /// @throws cannot_measure after a minute
  void wait_until_done();

  /// Reads the metrics.
  void read();

  /// What was read last.
  const std::string& metrics() const noexcept { return text_; }

private:
  /// Of what was read; 0 if there is none.
  double metric(const std::string& row) const;

  temporary_folder data_;
  std::optional<node_server> node_;
  std::string text_;
};

/// "26.3 us CPU a job".
std::string note_of(const queue_run& x);

} // namespace troupe::bench
