// How jobs of a queue are counted that is not ours: one side publishes for a
// while, the other acknowledges until nothing comes any more.

#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <string>

#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

/// What a consumer did.
struct consumed_jobs {
  uint64_t count = 0;

  /// When the last one was acknowledged.
  std::chrono::steady_clock::time_point last{};
};

/// Calls `consume()` on a thread and `publish(until)` here, which answers how many
/// were confirmed.
/// @returns jobs a second, until the last one is acknowledged
/// @throws cannot_measure unless each came
template <class Consume, class Publish>
double jobs_per_second(std::chrono::milliseconds time, Consume consume,
                       Publish publish) {
  auto began = std::chrono::steady_clock::now();
  std::future<consumed_jobs> consumer = std::async(std::launch::async, consume);
  uint64_t published = publish(began + time);
  auto done = consumer.get();
  if (done.count != published)
    throw cannot_measure{std::to_string(done.count) + " of "
                         + std::to_string(published) + " jobs came"};
  std::chrono::duration<double> took = done.last - began;
  return static_cast<double>(published) / took.count();
}

} // namespace troupe::bench
