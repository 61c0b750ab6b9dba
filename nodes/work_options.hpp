// What an operator says of queued calls.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/defaults.hpp"
#include "actors/core/work_policy.hpp"

namespace troupe {

struct queue_options {
  /// Queued calls that a node does at once, of all functions and services.
  /// Default 1024. Lower it to leave more of the node to calls that somebody
  /// waits for.
  uint32_t concurrency = defaults::work::node_max;

  /// How long results can be asked for. Default 1 h. Raise it for clients that
  /// come back late; the store grows with it.
  std::chrono::milliseconds keep_results = defaults::work::keep_results;

  /// How long dead letters are kept. Default 14 days.
  std::chrono::milliseconds keep_dead = defaults::work::keep_dead;

  /// What somebody outside gets to answer that it has an event. Default 30 s.
  /// Raise it for receivers that do all their work before they answer.
  std::chrono::milliseconds send_timeout = defaults::work::send_timeout;

  friend bool operator==(const queue_options&, const queue_options&) = default;
};

/// How queued calls of one function or service, or events for one host outside,
/// are treated, where it is not as by default.
struct work_override {
  std::optional<uint32_t> attempts{};
  std::optional<std::chrono::milliseconds> pause{};
  std::optional<std::chrono::milliseconds> pause_max{};
  std::optional<std::chrono::milliseconds> age{};
  std::vector<work_destination> on_success{};
  std::vector<work_destination> on_failure{};
  std::optional<group_join> join{};
  std::vector<work_destination> then{};

  work_policy apply(work_policy policy) const;

  friend bool operator==(const work_override&, const work_override&) = default;
};

/// Reads `NAME=attempts:5,pause:1s,max-pause:5m,age:6h,on-success:NEXT,
/// on-failure:NEXT,join:all,then:NEXT`, any of them, those with NEXT maybe several
/// times. NAME is a function, a service with a slash, or scheme and host of
/// somebody outside.
/// @throws std::invalid_argument that says what is accepted
std::pair<std::string, work_override>
parse_work_override(const std::string& text);

} // namespace troupe
