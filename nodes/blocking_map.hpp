// A plain thread that waits for a fan-out, and drives it meanwhile.

#pragma once

#include <chrono>
#include <optional>

#include "actors/routing/call_port.hpp"
#include "actors/routing/fan_out.hpp"

namespace troupe {

/// How many inputs are called.
struct map_options {
  /// Calls under way at once, 1 to 1024.
  size_t parallel = fan_out_options{}.parallel;

  /// For all of them together, at most 900 s; nothing: as long as one call may
  /// take.
  std::optional<std::chrono::milliseconds> timeout = {};
};

/// Returns once each input of `work` is answered. With options that are none,
/// each is answered `bad_request`.
void map_and_wait(call_port& port, fan_out_work& work,
                  const map_options& options);

} // namespace troupe
