// A table for the terminal: columns as wide as they have to be, numbers to the
// right.

#pragma once

#include <string>
#include <vector>

namespace troupe::bench {

class table {
public:
  explicit table(std::vector<std::string> head) : rows_{std::move(head)} {}

  /// @pre as many cells as the head has
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const;

private:
  std::vector<std::vector<std::string>> rows_;
};

} // namespace troupe::bench
