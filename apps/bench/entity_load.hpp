// Callers of entities in this process. Each has one call under way and makes the
// next one when it is answered, on whichever thread that is.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/bench/local_node.hpp"

namespace troupe::bench {

struct entity_load {
  /// Of the service `counter`.
  std::string method = "increment";
  std::string arguments = "1";

  /// The key of the n-th call.
  std::function<std::string(uint64_t n)> key;

  unsigned callers = 64;

  /// Calls in all; 0: as many as there is time for.
  uint64_t calls = 0;
  std::chrono::milliseconds time{0};
};

struct entity_load_result {
  uint64_t calls = 0;
  double seconds = 0;

  double rate() const { return static_cast<double>(calls) / seconds; }
};

/// @throws cannot_measure if a call fails
entity_load_result run_entity_load(local_node& node, const entity_load& load);

} // namespace troupe::bench
