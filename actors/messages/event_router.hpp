// The rules of a node: each event becomes a call for every rule that takes it.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "actors/core/event_routes.hpp"
#include "actors/messages/event_rule.hpp"

namespace troupe {

/// How often something happened to events, since the start.
struct event_counts {
  /// Calls that were accepted.
  std::atomic<uint64_t> accepted{0};

  /// Of events that had come before.
  std::atomic<uint64_t> repeated{0};

  /// Of events that handlers here have published, also if their commit was
  /// refused afterwards.
  std::atomic<uint64_t> published{0};
};

/// Thread-safe.
class event_router final : public event_routes {
public:
  /// Type, source and subject of an event have so many bytes at most, each.
  static constexpr size_t length_max = 4096;

  /// A call, and which of the rules it is of.
  struct routed {
    size_t rule = 0;
    work_request request;
  };

  /// @pre they are valid, and each has a name of its own
  explicit event_router(std::vector<event_rule> rules);

  const std::vector<event_rule>& rules() const noexcept { return rules_; }

  /// See `calls_of`; and `not_found` if no rule takes it.
  expected<std::vector<routed>> route(const cloud_event& x) const;

  expected<std::vector<work_request>> calls_of(const cloud_event& x) override;

  /// Of the rule at `i`.
  event_counts& counts(size_t i) noexcept { return counts_[i]; }

  const event_counts& counts(size_t i) const noexcept { return counts_[i]; }

private:
  const std::vector<event_rule> rules_;
  const std::unique_ptr<event_counts[]> counts_;
};

} // namespace troupe
