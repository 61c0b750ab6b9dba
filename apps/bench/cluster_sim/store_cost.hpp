// What the simulation does not know: how long a real store takes for a renewal.
// It is measured on the tables that nodes of one host share, with as many rows
// as there would be nodes. Renewals are transactions that write: however many
// processes ask, one is done after the other.

#pragma once

#include <chrono>
#include <cstdint>

namespace troupe::bench {

struct store_cost {
  uint32_t rows = 0;

  /// Of one renewal that reads all rows: the median of many.
  std::chrono::nanoseconds renewal{0};

  /// How much of the store's time the renewals of so many nodes take: more than
  /// 1 is more than it has.
  double share = 0;
};

/// @throws cannot_measure
store_cost measure_store(uint32_t rows);

} // namespace troupe::bench
