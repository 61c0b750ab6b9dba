// What the simulation does not know: how many renewals a real store can do when
// each of them reads as many rows as there are nodes. Measured on tables of
// SQLite in a folder, as nodes of one host share them, and of PostgreSQL where
// it is installed.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::bench {

struct store_cost {
  std::string store;
  uint32_t rows = 0;

  /// That were done a second.
  double renewals = 0;

  /// What as many nodes need, against that: more than 1 is more than it can do.
  double share = 0;
};

/// Of each store that is there.
/// @throws cannot_measure
std::vector<store_cost> measure_stores(uint32_t rows);

} // namespace troupe::bench
