#include "actors/model/close_name.hpp"

#include <algorithm>
#include <numeric>

namespace troupe {

size_t edits_between(std::string_view a, std::string_view b) {
  // A row of the table: the edits that make each beginning of b.
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      auto change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string close_name(std::string_view written,
                       const std::vector<std::string>& names) {
  constexpr size_t letters_for_an_edit = 3;
  auto most = written.size() / letters_for_an_edit;
  std::string result;
  for (auto& x : names) {
    // What is so much longer or shorter needs as many edits at least.
    if (x.size() > written.size() + most || x.size() + most < written.size())
      continue;
    auto edits = edits_between(written, x);
    if (edits > most || edits == 0)
      continue;
    result = x;
    most = edits - 1;
    if (most == 0)
      break;
  }
  return result;
}

} // namespace troupe
