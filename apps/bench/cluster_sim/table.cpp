#include "apps/bench/cluster_sim/table.hpp"

#include <algorithm>

namespace troupe::bench {

std::string table::text() const {
  std::vector<size_t> widths(rows_.front().size());
  for (auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string result;
  for (auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i)
      result += (i == 0 ? "" : "  ")
                + std::string(widths[i] - row[i].size(), ' ') + row[i];
    result += '\n';
  }
  return result;
}

} // namespace troupe::bench
